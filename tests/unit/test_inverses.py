"""The mutation that puts another right is known wherever that one is."""

from collections.abc import Iterator

import pytest

from governance import Actor, Governance, Mutation, Status
from tests.cases import GRACE, STATE_ID, GrantAdmin, Roles

WORKER = Actor(id="worker", kind="service")


@pytest.fixture
def gov() -> Iterator[Governance]:
    with Governance.open("sqlite://", mutations=[GrantAdmin]) as governance:
        yield governance


def test_inverse_is_registered_with_the_mutation_that_names_it(gov: Governance) -> None:
    assert sorted(gov.catalog.mutations) == ["grant_admin", "revoke_admin"]


def test_registered_inverse_compensates(gov: Governance) -> None:
    request = gov.run(GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="on call").request
    undo = gov.compensate(request.id, actor=GRACE, reason="wrong tenant")
    assert gov.execute(undo.id, actor=WORKER).executed
    assert gov.request(request.id).status is Status.COMPENSATED


def test_inverse_that_no_annotation_names_is_learnt_when_it_is_given() -> None:
    class Undo(Mutation[Roles]):
        def apply(self, state: Roles) -> Roles:
            return Roles()

    class Do(Mutation[Roles]):
        def apply(self, state: Roles) -> Roles:
            return Roles(admins=("ada",))

        def inverse(self, before: Roles, after: Roles) -> "Undo":
            return Undo()

    with Governance.open("sqlite://", mutations=[Do]) as governance:
        request = governance.run(Do(), state_id=STATE_ID, actor=GRACE, reason="try").request
        assert governance.compensate(request.id, actor=GRACE, reason="back").mutation.type == "undo"


def test_event_says_its_name(gov: Governance) -> None:
    request = gov.submit(GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="on call")
    assert [each.type for each in gov.history(request.id)] == ["Created", "PoliciesEvaluated", "Approved"]
