"""Policies: whatever they do wrong is a denial, and neither their order nor what they do to their arguments matters."""

from collections.abc import Callable
from typing import Any

import pytest

from governance import Answer, Context, Governance, Policy, Status, allow, approval, deny, policy, require
from tests.cases import GRACE, MUTATIONS, STATE_ID, GrantAdmin, Roles, SetNote, unchecked


def governed(*policies: Policy) -> Governance:
    """Return a governance in memory under these policies."""
    return Governance.open("sqlite://", mutations=MUTATIONS, policies=policies)


def _raise(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object) -> object:
        raise error

    return fail


def _endless(*_: object) -> object:
    return _endless()


NONSENSE: dict[str, Callable[..., Any]] = {
    "raises": _raise(KeyError("x")),
    "never ends": _endless,
    "nothing": lambda *_: None,
    "true": lambda *_: True,
    "text": lambda *_: "allow",
    "the function itself": lambda *_: allow,
    "require without requirements": lambda *_: Answer(decision="require"),
    "amend without a mutation": lambda *_: Answer(decision="amend"),
    "decision of its own": lambda *_: unchecked(Answer, decision="maybe", requirements=()),
    "code that cannot be stored": lambda *_: deny("no", code="\0"),
    "reason that cannot be stored": lambda *_: deny("\0\ud800" + "x" * 20_000),
    "require nothing": lambda *_: require(),
    "require text": lambda *_: require("lead"),  # type: ignore[arg-type]
    "metadata that cannot be stored": lambda *_: unchecked(Answer, decision="allow", metadata={"x": object()}),
}


@pytest.mark.parametrize("case", NONSENSE)
def test_policy_that_misbehaves_denies(case: str) -> None:
    with governed(policy(name="odd")(NONSENSE[case]), policy(name="fine")(lambda *_: allow())) as gov:
        request = gov.submit(GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="x")
        assert (request.status, request.end_code) == (Status.REJECTED, "policy-denied")
        assert [(each.policy, each.decision) for each in request.verdicts] == [("fine", "allow"), ("odd", "deny")]
        assert gov.request(request.id) == request


def test_policy_cannot_change_what_others_see_or_what_is_stored() -> None:
    def spoil(mutation: GrantAdmin, state: Roles, context: Context) -> Answer:
        context.metadata["evil"] = True
        context.intent.metadata["evil"] = True
        object.__setattr__(state, "admins", ("mallory",))
        return allow()

    def see(mutation: GrantAdmin, state: Roles, context: Context) -> Answer:
        assert "evil" not in context.metadata
        assert "evil" not in context.intent.metadata
        assert state.admins == ()
        return allow()

    with governed(policy(name="a")(spoil), policy(name="b")(see)) as gov:
        outcome = gov.run(GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="x", metadata={"ok": [1]})
        assert outcome.executed
        assert outcome.request.metadata == {"ok": [1]}
        assert gov.state(STATE_ID).value == Roles(admins=("ada",))


def test_order_of_registration_changes_nothing() -> None:
    rules = [
        policy(name="late", priority=-1)(lambda *_: require(approval(role="lead"))),
        policy(name="b")(lambda *_: require(approval(role="auditor"))),
        policy(name="a")(lambda *_: allow("fine")),
        policy(SetNote, name="notes", priority=9)(lambda *_: deny("no notes")),
        policy(Roles, name="roles", priority=5)(lambda *_: require(approval(group="board"))),
    ]
    seen = []
    for order in (rules, rules[::-1], rules[2:] + rules[:2]):
        with governed(*order) as gov:
            request = gov.submit(GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="x")
            verdicts = [each.model_copy(update={"took_ms": 0.0}) for each in request.verdicts]
            seen.append((verdicts, [each.asked for each in request.requirements], request.policy_set))
    assert seen[0] == seen[1] == seen[2]
    assert [each.policy for each in seen[0][0]] == ["roles", "a", "b", "late"]


def test_every_policy_is_heard_even_after_a_denial() -> None:
    with governed(policy(name="a")(lambda *_: deny("one")), policy(name="b")(lambda *_: deny("two"))) as gov:
        request = gov.submit(GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="x")
        assert request.ended_because is not None
        assert "one" in request.ended_because
        assert "two" in request.ended_because
