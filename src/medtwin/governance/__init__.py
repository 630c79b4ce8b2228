"""Who may see what, and why: grants, roles, purposes, audit and keys."""

from medtwin.governance.grant import Action, Grant, Purpose, Role

__all__ = ["Action", "Grant", "Purpose", "Role"]
