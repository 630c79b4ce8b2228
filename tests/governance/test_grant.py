import pytest

from medtwin.errors import AccessDenied
from medtwin.governance.grant import Action, Grant, Purpose, Role

ALLOWED = {
    (Role.OWNER, Action.READ), (Role.OWNER, Action.WRITE), (Role.OWNER, Action.ADMINISTER),
    (Role.CLINICIAN, Action.READ), (Role.CLINICIAN, Action.WRITE), (Role.RESEARCHER, Action.READ),
    (Role.PATIENT, Action.READ), (Role.DEVICE, Action.WRITE),
}  # fmt: skip


def grant(**more):
    return Grant(**({"who": "w", "role": Role.OWNER, "purpose": Purpose.SELF, "epoch": 3} | more))


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", Action)
def test_a_role_may_do_what_the_table_says_and_no_more(role, action):
    if (role, action) in ALLOWED:
        grant(role=role).require(action, "P1", 3)
    else:
        with pytest.raises(AccessDenied, match="role"):
            grant(role=role).require(action, "P1", 3)


@pytest.mark.parametrize("epoch", [2, 4])
def test_another_epoch_is_denied(epoch):
    with pytest.raises(AccessDenied, match="epoch"):
        grant().require(Action.READ, "P1", epoch)


def test_a_grant_for_some_covers_only_those_and_no_worklist():
    grant(patients=frozenset({"P1"})).require(Action.READ, "P1", 3)
    for patient in ("P2", None):
        with pytest.raises(AccessDenied, match="cover"):
            grant(patients=frozenset({"P1"})).require(Action.READ, patient, 3)
    grant().require(Action.READ, None, 3)
