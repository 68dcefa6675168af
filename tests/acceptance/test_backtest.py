"""Other policies are tried on what was asked for in the past, as it was then, and nothing comes of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from governance import Actor, Governance, Intent, Policy, allow, amend, approval, deny, policy, require
from governance.backtest import Backtest, Comparison, Selection
from governance.directory import DirectoryLookup
from governance.directory_static import StaticDirectory
from governance.domain.errors import DirectoryUnavailableError, InputError
from tests.cases import MUTATIONS, Add, GrantAdmin, RevokeAdmin

GRACE = Actor(id="grace")
ALAN = Actor(id="alan", roles=("lead",))
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Clock:
    """A clock that goes on by a minute with every look at it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


def saying(name: str, answer: Any) -> Policy:
    return policy(name=name)(lambda mutation, state, context: answer)


one_lead = saying("one-lead", require(approval(role="lead", name="one")))
two_leads = saying("two-leads", require(approval(role="lead", quorum=2, name="two")))


@policy(GrantAdmin)
def at_most_two(mutation: GrantAdmin, state: Any, context: Any) -> Any:
    return deny("there are enough", code="enough") if len(state.admins) >= 2 else allow()


@policy(GrantAdmin)
def lower_case(mutation: GrantAdmin, state: Any, context: Any) -> Any:
    lower = mutation.user.lower()
    return allow() if mutation.user == lower else amend(GrantAdmin(user=lower))


@contextmanager
def governed(url: str, *policies: Policy) -> Iterator[Governance]:
    with Governance.open(url, mutations=MUTATIONS, policies=policies, clock=Clock()) as governance:
        yield governance


def grant(governance: Governance, user: str, **given: Any) -> str:
    asked: dict[str, Any] = {"state_id": "roles", "actor": GRACE, "reason": "r", **given}
    return governance.run(GrantAdmin(user=user), **asked).request.id


def compared(
    governance: Governance, *policies: Policy, selection: Selection | None = None, directory: Any = None
) -> list[Comparison]:
    test = Backtest(governance.log, governance.catalog, policies, directory=directory)
    try:
        return list(test.compare(selection))
    finally:
        test.close()


def turns(found: Sequence[Comparison]) -> list[str]:
    return [f"{each.then.decision} → {each.now.decision}" for each in found if each.then and each.now and each.changed]


def test_the_same_policies_decide_the_same(store_url: str) -> None:
    policies = (at_most_two, lower_case, saying("fine", allow("why not")))
    with governed(store_url, *policies) as governance:
        for user in ("ada", "BOB", "ada", "eve"):
            grant(governance, user)
        done = grant(governance, "zed", state_id="other")
        governance.compensate(done, actor=GRACE, reason="r", kind="restore")
        governance.run(Add(amount=1), state_id="counter", actor=GRACE, reason="r")

        found = compared(governance, *policies)

    assert [each.changed for each in found] == [False] * 7
    assert [each.now.decision for each in found if each.now] == [
        *("allow", "amend", "invalid", "deny"),
        *("allow", "allow", "allow"),
    ]
    assert [each.state_version for each in found] == [0, 1, 2, 2, 0, 1, 0]


def test_each_request_is_judged_on_the_state_and_at_the_time_of_then(store_url: str) -> None:
    seen: list[tuple[Any, ...]] = []

    @policy(GrantAdmin)
    def watching(mutation: GrantAdmin, state: Any, context: Any) -> Any:
        seen.append((mutation.user, state.admins, context.state_version, context.now, context.actor, context.metadata))
        return allow()

    with governed(store_url) as governance:
        keys = [grant(governance, user, metadata={"n": user}, intent=Intent(tags=("t",))) for user in ("ada", "bob")]
        created = [governance.request(key).created_at for key in keys]
        governance.run(RevokeAdmin(user="ada"), state_id="roles", actor=GRACE, reason="r")
        compared(governance, watching)

    assert seen == [
        ("ada", (), 0, created[0], GRACE, {"n": "ada"}),
        ("bob", ("ada",), 1, created[1], GRACE, {"n": "bob"}),
    ]


def test_what_would_be_decided_otherwise_is_told(store_url: str) -> None:
    with governed(store_url, one_lead) as governance:
        grant(governance, "ada")
        grant(governance, "BOB")

        assert turns(compared(governance)) == ["require → allow", "require → allow"]
        assert turns(compared(governance, saying("no", deny("no", code="x")))) == ["require → deny", "require → deny"]
        assert turns(compared(governance, lower_case)) == ["require → allow", "require → amend"]
        (first, _) = found = compared(governance, two_leads)

    assert turns(found) == ["require → require", "require → require"]
    assert first.then is not None
    assert first.now is not None
    assert (first.then.policies, first.now.policies) == (("one-lead",), ("two-leads",))
    assert [each.name for each in first.now.requirements] == ["two"]


def test_a_requirement_by_another_name_is_no_other_decision(store_url: str) -> None:
    renamed = saying("renamed", require(approval(role="lead", name="another")))
    with governed(store_url, one_lead) as governance:
        grant(governance, "ada")

        assert turns(compared(governance, renamed)) == []


def test_what_the_requester_required_counts_then_and_now(store_url: str) -> None:
    with governed(store_url) as governance:
        grant(governance, "ada", requires=[approval(role="lead")])
        (found,) = compared(governance)

    assert found.now is not None
    assert (found.now.decision, found.changed) == ("require", False)


def test_requests_are_chosen_by_time_mutation_and_number(store_url: str) -> None:
    with governed(store_url) as governance:
        keys = [grant(governance, user) for user in ("ada", "bob", "eve")]
        governance.run(Add(amount=1), state_id="counter", actor=GRACE, reason="r")
        second = governance.request(keys[1]).created_at

        def chosen(**given: Any) -> list[str]:
            return [each.request_id for each in compared(governance, selection=Selection(**given))]

        assert chosen(since=second, mutations=("grant_admin",)) == keys[1:]
        assert chosen(until=second) == keys[:2]
        assert chosen(since=second, until=second) == [keys[1]]
        assert chosen(limit=1) == keys[:1]
        assert len(chosen(mutations=("add",))) == 1
    with pytest.raises(InputError):
        Selection(limit=0)


def test_nothing_is_stored(store_url: str) -> None:
    with governed(store_url, one_lead) as governance:
        key = grant(governance, "ada")
        before = (governance.log.head(), governance.request(key))

        compared(governance, lower_case, saying("no", deny("no")))

        assert (governance.log.head(), governance.request(key)) == before


def test_what_happened_later_does_not_count_for_what_was_decided_then(store_url: str) -> None:
    with governed(store_url, one_lead) as governance:
        key = grant(governance, "ada")
        governance.approve(key, actor=ALAN)
        governance.execute(key, actor=GRACE)
        (found,) = compared(governance, one_lead)

    assert found.then is not None
    assert (found.then.decision, found.changed) == ("require", False)


def test_an_error_of_the_new_policies_is_a_denial(store_url: str) -> None:
    @policy(GrantAdmin)
    def broken(mutation: GrantAdmin, state: Any, context: Any) -> Any:
        raise LookupError

    with governed(store_url) as governance:
        grant(governance, "ada")
        (found,) = compared(governance, broken)

    assert found.now is not None
    assert (found.now.decision, found.now.codes) == ("deny", ("policy-error",))


def test_a_mutation_that_is_not_known_any_more_is_told(store_url: str) -> None:
    with governed(store_url) as governance:
        grant(governance, "ada")
    with Governance.open(store_url, mutations=[Add]) as governance:
        (found,) = compared(governance)

    assert found.now is None
    assert not found.changed
    assert "not known here" in (found.problem or "")


def test_requirements_that_nobody_could_fill_are_told(store_url: str) -> None:
    lookup = DirectoryLookup(StaticDirectory(roles={"lead": ["alan", "grace"]}))
    only_grace = saying("only-grace", require(approval(actor="grace")))
    with governed(store_url) as governance:
        grant(governance, "ada")

        (by_role,) = compared(governance, two_leads, directory=lookup)
        (by_name,) = compared(governance, only_grace)
        (fine,) = compared(governance, one_lead, directory=lookup)
    lookup.close()

    assert "two asks for 2 of role lead" in by_role.unsatisfiable[0]
    assert "cannot be met" in by_name.unsatisfiable[0]
    assert fine.unsatisfiable == ()


def test_a_directory_that_is_away_ends_the_test(store_url: str) -> None:
    class Away:
        async def members(self, kind: str, name: str) -> frozenset[str]:
            raise OSError

    lookup = DirectoryLookup(Away())
    with governed(store_url) as governance:
        grant(governance, "ada")
        with pytest.raises(DirectoryUnavailableError):
            compared(governance, one_lead, directory=lookup)
    lookup.close()


def test_more_than_a_page_of_requests_is_gone_through(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("governance.backtest.PAGE", 2)
    with governed(store_url) as governance:
        keys = [grant(governance, f"user-{number}", state_id=f"s{number}") for number in range(5)]

        assert [each.request_id for each in compared(governance)] == keys
