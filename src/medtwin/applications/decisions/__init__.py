"""Decisions: what was suggested, what somebody decided, what happened then, and how far that surprised the twin."""
