"""What a mutation is about: declared by its class, refined by who asks, and never played down."""

import pytest

from governance import BlastRadius, Governance, Intent
from governance.domain.intent import RISKS, SCOPES, refine
from tests.cases import GRACE, RevokeAdmin, Roles


class Purge(RevokeAdmin):
    """Says much of itself."""

    category = "access"
    risk = "high"
    tags = ("security", "audit")
    blast_radius = BlastRadius(scope="system", count=100, text="all tenants")

    def apply(self, state: Roles) -> Roles:
        return Roles()


DECLARED = Purge.declared_intent()


def test_class_says_what_its_mutations_are_about() -> None:
    assert (
        Intent(
            category="access",
            risk="high",
            blast_radius=BlastRadius(scope="system", count=100, text="all tenants"),
            tags=("audit", "security"),
        )
        == DECLARED
    )
    assert refine(DECLARED, None) == DECLARED


def test_class_that_says_nothing_is_of_low_risk_and_reach() -> None:
    assert RevokeAdmin.declared_intent() == Intent(risk="low", blast_radius=BlastRadius(scope="single"))


@pytest.mark.parametrize("given", RISKS)
def test_risk_can_be_raised_and_not_lowered(given: str) -> None:
    refined = refine(DECLARED, Intent.model_validate({"risk": given}))
    assert refined.risk == ("critical" if given == "critical" else "high")


@pytest.mark.parametrize("given", SCOPES)
def test_scope_can_be_widened_and_not_narrowed(given: str) -> None:
    refined = refine(DECLARED, Intent(blast_radius=BlastRadius.model_validate({"scope": given})))
    assert refined.blast_radius is not None
    assert refined.blast_radius.scope == ("global" if given == "global" else "system")


@pytest.mark.parametrize(("given", "refined"), [(None, 100), (0, 100), (5, 100), (100, 100), (101, 101)])
def test_count_can_be_raised_and_not_lowered(given: int | None, refined: int) -> None:
    intent = refine(DECLARED, Intent(blast_radius=BlastRadius(scope="single", count=given)))
    assert intent.blast_radius is not None
    assert intent.blast_radius.count == refined


def test_count_of_none_is_told_as_given() -> None:
    intent = refine(RevokeAdmin.declared_intent(), Intent(blast_radius=BlastRadius(count=0)))
    assert intent.blast_radius == BlastRadius(scope="single", count=0)


def test_tags_add_up_and_words_are_those_of_who_asks() -> None:
    asked = Intent(category="incident", description="on call", tags=("urgent", "audit"), metadata={"ticket": 1})
    refined = refine(DECLARED, asked)
    assert refined.tags == ("audit", "security", "urgent")
    assert (refined.category, refined.description, refined.metadata) == ("incident", "on call", {"ticket": 1})


def test_request_keeps_the_refined_intent() -> None:
    with Governance.open("sqlite://", mutations=[Purge]) as gov:
        request = gov.submit(
            Purge(user="x"), state_id="s", actor=GRACE, reason="x", intent=Intent(risk="critical", tags=("now",))
        )
        assert (request.intent.risk, request.intent.tags) == ("critical", ("audit", "now", "security"))
        assert gov.request(request.id).intent == request.intent
