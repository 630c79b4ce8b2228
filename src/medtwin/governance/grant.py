"""Grant: who may do what, and why. Nothing is read or written without one; the default is to deny.

A grant names a person (or a service), a role, a purpose and the epoch of the policy under which it was issued. A store
checks :meth:`Grant.require` on every read and write, and every emitted value is checked against the current epoch, so
that a withdrawn consent bites at once. Full consent and policy come with their own issue; what stands here cannot be
added later.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from medtwin.errors import AccessDenied


class Action(StrEnum):
    READ = "read"
    WRITE = "write"
    ADMINISTER = "administer"  #: erase, backup, restore, migrate, replay quarantine


class Role(StrEnum):
    OWNER = "owner"  #: whoever runs this home on their own machine
    CLINICIAN = "clinician"
    RESEARCHER = "researcher"
    PATIENT = "patient"
    DEVICE = "device"  #: a live intake


class Purpose(StrEnum):
    TREATMENT = "treatment"
    RESEARCH = "research"
    SELF = "self"
    OPERATIONS = "operations"


_ALLOWED: dict[Role, frozenset[Action]] = {
    Role.OWNER: frozenset(Action),
    Role.CLINICIAN: frozenset({Action.READ, Action.WRITE}),
    Role.RESEARCHER: frozenset({Action.READ}),
    Role.PATIENT: frozenset({Action.READ}),
    Role.DEVICE: frozenset({Action.WRITE}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Permission to act. ``patients`` is None for all patients of this home, else the only ones it covers."""

    who: str
    role: Role
    purpose: Purpose
    epoch: int
    patients: frozenset[str] | None = None

    def require(self, action: Action, patient: str | None, epoch: int) -> None:
        """Raise :class:`AccessDenied` unless this grant allows ``action`` on ``patient`` at the store's ``epoch``.

        ``patient`` is None for actions on no one patient (a worklist, intake whose owner is not known yet); a grant
        limited to some patients does not allow those.
        """
        if self.epoch != epoch:
            raise AccessDenied(
                f"a grant of epoch {self.epoch}", expected=f"epoch {epoch}", remedy="ask for a new grant"
            )
        if action not in _ALLOWED[self.role]:
            raise AccessDenied(f"role {self.role.value}", expected=f"a role that may {action.value}")
        if self.patients is not None and patient not in self.patients:
            raise AccessDenied("a grant that does not cover this patient", expected="a grant for the patient")
