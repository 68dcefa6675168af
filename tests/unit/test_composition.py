"""Composed policies: merge rules, and that no allow hides a deny."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import (
    Answer,
    ConfigurationError,
    Governance,
    Mutation,
    Policy,
    PolicyConflictError,
    all_of,
    allow,
    amend,
    any_of,
    approval,
    deny,
    first_decisive,
    policy,
    require,
)
from governance.consulting import run_plain
from governance.domain.intent import Intent
from governance.domain.policies import Context, PolicySet
from tests.cases import GRACE, START, GrantAdmin, RevokeAdmin, Roles

Compose = Callable[..., Policy]
LEADS = approval(role="lead", quorum=2)
CTO = approval(role="cto")
CONTEXT = Context(
    request_id="r",
    state_id="s",
    state_version=0,
    actor=GRACE,
    reason="why",
    intent=Intent(),
    now=START,
    round=1,
    change_set=(),
    metadata={},
)


def saying(name: str, answer: Answer, *, priority: int = 0, target: type | None = None) -> Policy:
    return Policy(lambda *_: answer, (target,) if target else (), name=name, priority=priority)


def consult(policy: Policy) -> Answer | None:
    return run_plain(policy.consult((GrantAdmin(user="ada"),), Roles, CONTEXT))


def answered(policy: Policy) -> Answer:
    answer = consult(policy)
    assert answer is not None
    return answer


def test_all_of_denies_if_any_denies_and_says_who() -> None:
    answer = answered(all_of("both", saying("a", allow("fine")), saying("b", deny("no", code="closed"))))
    assert (answer.decision, answer.code, answer.reason) == ("deny", "closed", "b: no")


def test_all_of_asks_for_everything_that_its_members_ask_for_once() -> None:
    answer = answered(all_of("both", saying("a", require(LEADS)), saying("b", require(LEADS, CTO))))
    assert (answer.decision, answer.requirements) == ("require", (LEADS, CTO))


def test_all_of_takes_the_highest_severity() -> None:
    grave = deny("no", severity="critical")
    assert answered(all_of("both", saying("a", deny("no")), saying("b", grave))).severity == "critical"


def test_any_of_passes_with_what_the_passing_members_ask_for() -> None:
    answer = answered(any_of("either", saying("a", deny("no", severity="critical")), saying("b", require(CTO))))
    assert (answer.decision, answer.requirements, answer.severity) == ("require", (CTO,), "info")


def test_any_of_denies_only_if_all_deny() -> None:
    answer = answered(any_of("either", saying("a", deny("no")), saying("b", deny("never"))))
    assert (answer.decision, answer.reason) == ("deny", "a: no; b: never")


def test_any_of_is_not_disturbed_by_what_a_denying_member_says_besides() -> None:
    members = (saying("a", deny("no", metadata={"key": 1})), saying("b", allow(metadata={"key": 2})))
    assert answered(any_of("either", *members)).metadata == {"key": 2}


def test_first_decisive_goes_by_priority_not_by_place() -> None:
    members = (
        saying("late", deny("no")),
        saying("early", require(CTO), priority=5),
        saying("first", allow(), priority=9),
    )
    assert answered(first_decisive("one", *members)).requirements == (CTO,)


def test_first_decisive_allows_if_all_only_allow() -> None:
    assert answered(first_decisive("one", saying("a", allow()), saying("b", allow()))).decision == "allow"


def test_compositions_nest() -> None:
    inner = any_of("inner", saying("a", deny("no")), saying("b", require(LEADS)))
    assert answered(all_of("outer", inner, saying("c", require(CTO)))).requirements == (CTO, LEADS)


def test_nested_allow_is_not_decisive() -> None:
    inner = all_of("inner", saying("a", allow()), priority=9)
    assert answered(first_decisive("outer", inner, saying("b", deny("no")))).decision == "deny"


def test_equal_amendments_are_one() -> None:
    lower = amend(GrantAdmin(user="lower"))
    answer = answered(all_of("both", saying("a", lower), saying("b", lower)))
    assert (answer.decision, answer.mutation) == ("amend", GrantAdmin(user="lower"))


@pytest.mark.parametrize(
    ("one", "other", "key"),
    [
        (amend(GrantAdmin(user="a")), amend(GrantAdmin(user="b")), "mutation"),
        (allow(metadata={"ticket": 1}), allow(metadata={"ticket": 2}), "metadata:ticket"),
    ],
)
def test_conflict_names_both_policies_and_the_key(one: Answer, other: Answer, key: str) -> None:
    with pytest.raises(PolicyConflictError) as caught:
        consult(all_of("both", saying("a", one), saying("b", other)))
    assert caught.value.ids == {"composition": "both", "key": key, "policies": "a, b"}


def test_deny_is_never_masked_by_an_amendment() -> None:
    answer = answered(all_of("both", saying("a", amend(GrantAdmin(user="x"))), saying("b", deny("no"))))
    assert (answer.decision, answer.mutation) == ("deny", None)


@pytest.mark.parametrize("compose", [all_of, any_of, first_decisive])
def test_members_that_do_not_apply_have_no_say(compose: Compose) -> None:
    other = saying("other", deny("no"), target=RevokeAdmin)
    assert consult(compose("c", other)) is None
    assert answered(compose("c", other, saying("mine", allow()))).decision == "allow"


@pytest.mark.parametrize("compose", [all_of, any_of, first_decisive])
def test_composing_nothing_is_a_configuration_error(compose: Compose) -> None:
    with pytest.raises(ConfigurationError):
        compose("empty")


def test_digest_of_the_set_changes_with_any_member() -> None:
    def digest(version: int) -> str:
        member = Policy(lambda *_: allow(), name="member", version=version)
        return PolicySet([all_of("c", member, saying("other", allow()))]).digest

    assert digest(1) == digest(1) != digest(2)


ANSWERS = st.sampled_from(
    [allow(), deny("no"), require(LEADS), require(CTO), amend(GrantAdmin(user="x")), deny("x", severity="critical")]
)


@given(st.lists(st.tuples(ANSWERS, st.integers(0, 2)), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_order_of_members_changes_nothing(members: list[tuple[Answer, int]], random: Any) -> None:
    policies = [saying(f"p{number}", answer, priority=rank) for number, (answer, rank) in enumerate(members)]
    shuffled = random.sample(policies, len(policies))
    for compose in (all_of, any_of, first_decisive):
        assert answered(compose("c", *policies)) == answered(compose("c", *shuffled))


@given(st.lists(ANSWERS, min_size=1, max_size=5))
def test_what_is_denied_follows_from_who_denied(answers: list[Answer]) -> None:
    policies = [saying(f"p{number}", answer) for number, answer in enumerate(answers)]
    denied = [answer.decision == "deny" for answer in answers]
    assert (answered(all_of("c", *policies)).decision == "deny") == any(denied)
    assert (answered(any_of("c", *policies)).decision == "deny") == all(denied)


def test_no_policy_sees_what_another_did_to_the_mutation() -> None:
    class Tags(Mutation[Roles]):
        names: list[str]

        def apply(self, state: Roles) -> Roles:
            return Roles(admins=tuple(self.names))

    @policy(Tags, priority=1)
    def meddling(mutation: Tags, state: Roles, context: Context) -> Answer:
        mutation.names.append("eve")
        return allow()

    @policy(Tags)
    def watching(mutation: Tags, state: Roles, context: Context) -> Answer:
        return deny("eve is here") if "eve" in mutation.names else allow()

    with Governance.open("sqlite://", mutations=[Tags], policies=[meddling, watching]) as gov:
        outcome = gov.run(Tags(names=["ada"]), state_id="s", actor=GRACE, reason="try")
        assert outcome.executed
        assert gov.state("s").value.admins == ("ada",)
