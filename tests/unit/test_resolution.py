"""Version resolution: what becomes of an approved request when the state is not as it was evaluated."""

import pytest
from pydantic import JsonValue

from governance import Status, approval
from governance.domain.commands import Approve, Evaluation, Execute
from governance.domain.events import (
    Event,
    Executed,
    ExecutionFailed,
    PendingApproval,
    PoliciesEvaluated,
    Rejected,
    VersionResolved,
)
from governance.domain.terms import Drift, Stale, Verdict
from tests.cases import ADA, ALAN, NOBODY, WORKER, evaluation, granted, submitted
from tests.spec import Told, by, given

LEAD = approval(role="lead")
DENY = Verdict(policy="freeze", decision="deny", reason="not in December")
ALLOW = Verdict(policy="fine", decision="allow")
SAME_DEMAND = Verdict(policy="leads", decision="require", requirements=(LEAD,))
MORE_DEMAND = Verdict(policy="board", decision="require", requirements=(approval(group="board"),))
HIGHER_QUORUM = Verdict(policy="leads", decision="require", requirements=(approval(role="lead", quorum=2),))
SAME_DEMAND_RENAMED = Verdict(policy="x", decision="require", requirements=(approval(role="lead", name="other"),))

BOB: JsonValue = {"admins": ["bob"], "note": ""}
BOB_ADA: JsonValue = {"admins": ["bob", "ada"], "note": ""}
NOTED: JsonValue = {"admins": [], "note": "moved"}
ADA_NOTED: JsonValue = {"admins": ["ada"], "note": "moved"}
ADA_MOVED: JsonValue = {"admins": ["ada", "bob"], "note": ""}


def approved(stale: Stale, *, by_somebody: bool) -> tuple[Event | Told, ...]:
    """Return the history of an approved request, by somebody or because nobody had to."""
    if not by_somebody:
        return submitted(stale=stale)
    history = submitted(LEAD, stale=stale)
    granting = given(*history).when(Approve(actor=ALAN)).decided()
    assert granting[0] == granted(history, ALAN)
    return (*history, *(by(ALAN, each) for each in granting))


def moved(after: JsonValue = BOB_ADA, *verdicts: Verdict, before: JsonValue = BOB, **others: object) -> Evaluation:
    """Return what user code says on a later version."""
    return evaluation(before, after, version=3, verdicts=verdicts, **others)


def execute(answer: Evaluation, *paths: str) -> Execute:
    """Return the command to execute on a state of which these paths have changed."""
    return Execute(actor=WORKER, evaluation=answer, changed_paths=paths)


CASES: list[tuple[str, Stale, bool, Evaluation, str, str]] = [
    # what happened, strategy, whether somebody approved, what user code says now, outcome, what follows
    ("moved", "reject", True, moved(), "rejected_as_stale", "rejected stale"),
    ("moved, nobody approved", "reject", False, moved(), "rejected_as_stale", "rejected stale"),
    ("moved", "renew", True, moved(), "renewal_required", "pending"),
    ("moved, nothing to renew", "renew", False, moved(), "revalidated", "executed"),
    ("moved, other changes, nothing to renew", "renew", False, moved(NOTED), "revalidated", "executed"),
    ("moved", "revalidate", True, moved(), "revalidated", "executed"),
    ("moved, nobody approved", "revalidate", False, moved(), "revalidated", "executed"),
    ("moved, other changes", "revalidate", True, moved(ADA_MOVED), "renewal_required", "pending"),
    ("moved, other changes, nobody approved", "revalidate", False, moved(ADA_MOVED), "revalidated", "executed"),
    ("moved, same demand", "revalidate", True, moved(BOB_ADA, SAME_DEMAND), "revalidated", "executed"),
    ("moved, same demand renamed", "revalidate", True, moved(BOB_ADA, SAME_DEMAND_RENAMED), "revalidated", "executed"),
    ("moved, allowed", "revalidate", True, moved(BOB_ADA, ALLOW), "revalidated", "executed"),
    ("moved, more demanded", "revalidate", True, moved(BOB_ADA, MORE_DEMAND), "renewal_required", "pending"),
    ("moved, quorum raised", "revalidate", True, moved(BOB_ADA, HIGHER_QUORUM), "renewal_required", "pending"),
    ("moved, demanded first now", "revalidate", False, moved(BOB_ADA, SAME_DEMAND), "renewal_required", "pending"),
    ("moved, demanded first now", "renew", False, moved(BOB_ADA, SAME_DEMAND), "renewal_required", "pending"),
    ("moved, denied", "revalidate", True, moved(BOB_ADA, DENY), "rejected_as_stale", "rejected policy-denied"),
    ("moved, denied", "revalidate", False, moved(BOB_ADA, DENY), "rejected_as_stale", "rejected policy-denied"),
    ("moved, denied and demanded", "revalidate", True, moved(BOB_ADA, SAME_DEMAND, DENY), "rejected_as_stale",
     "rejected policy-denied"),
    ("moved, denied", "renew", True, moved(BOB_ADA, DENY), "rejected_as_stale", "rejected policy-denied"),
    ("moved, invalid", "revalidate", True, moved(BOB_ADA, validation_errors=("bob is there",)), "rejected_as_stale",
     "rejected validation-failed"),
    ("moved, invalid", "revalidate", False, moved(BOB_ADA, validation_errors=("bob is there",)), "rejected_as_stale",
     "rejected validation-failed"),
    ("moved, cannot be applied", "revalidate", True, moved(BOB_ADA, failure="KeyError"), "rejected_as_stale",
     "rejected validation-failed"),
    ("same", "reject", True, evaluation(verdicts=None), "matched", "executed"),
    ("same", "renew", True, evaluation(verdicts=None), "matched", "executed"),
    ("same", "revalidate", True, evaluation(verdicts=None), "matched", "executed"),
    ("same, nobody approved", "reject", False, evaluation(verdicts=None), "matched", "executed"),
    ("same, other changes", "reject", True, evaluation(NOBODY, NOTED, verdicts=None), "renewal_required", "pending"),
    ("same, other changes, nobody approved", "reject", False, evaluation(NOBODY, NOTED, verdicts=None), "matched",
     "executed"),
    ("same, invalid", "revalidate", True, evaluation(verdicts=None, validation_errors=("no",)), "matched",
     "rejected validation-failed"),
    ("same, cannot be applied", "reject", True, evaluation(verdicts=None, failure="KeyError"), "matched",
     "failed once"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("stale", "by_somebody", "answer", "outcome", "follows"),
    [each[1:] for each in CASES],
    ids=[f"{each[1]}: {each[0]}{', approved' if each[2] else ''}" for each in CASES],
)
def test_way_on(stale: Stale, by_somebody: bool, answer: Evaluation, outcome: str, follows: str) -> None:
    case = given(*approved(stale, by_somebody=by_somebody)).when(execute(answer, "/admins"))
    resolved, *rest = case.decided()
    assert isinstance(resolved, VersionResolved)
    assert (resolved.outcome, resolved.strategy) == (outcome, stale)
    assert (resolved.expected, resolved.current) == (0, answer.state_version)
    request = case.then_request()
    match follows.split():
        case ["rejected", code]:
            assert [type(each) for each in rest] == [Rejected]
            assert (request.status, request.end_code) == (Status.REJECTED, code)
        case ["executed"]:
            again = [PoliciesEvaluated] if answer.verdicts is not None else []
            assert [type(each) for each in rest] == [*again, Executed]
            assert (request.status, request.resulting_version) == (Status.EXECUTED, answer.state_version + 1)
        case ["pending"]:
            assert {type(each) for each in rest} == {PoliciesEvaluated, PendingApproval}
            assert (request.status, request.round) == (Status.PENDING, 2)
        case ["failed", "once"]:
            assert [type(each) for each in rest] == [ExecutionFailed]
            assert (request.status, request.attempts) == (Status.APPROVED, 1)
        case _:
            raise AssertionError(follows)


ELSEWHERE = [
    ("/note", ("/admins",), False),
    ("/admins/0", ("/admins",), True),
    ("/admins", ("/admins/0",), True),
    ("", ("/admins",), True),
    ("/admins2", ("/admins",), False),
    ("/note", ("/admins", "/note"), True),
    ("/note", ("",), True),
    ("/note", (), False),
]


@pytest.mark.parametrize(("path", "reads", "stale"), ELSEWHERE)
def test_drift_matters_only_where_the_mutation_reads_or_writes(path: str, reads: tuple[str, ...], stale: bool) -> None:
    answer = moved(ADA_NOTED, before=NOTED, reads=reads).model_copy(update={"verdicts": () if stale else None})
    history = approved("reject", by_somebody=True)
    drift = (Drift(version=1, request_id="r", paths=(path,)),)
    command = Execute(actor=WORKER, evaluation=answer, changed_paths=(path,), drift=drift)
    resolved, last = given(*history).when(command).decided()
    assert isinstance(resolved, VersionResolved)
    assert resolved.outcome == ("rejected_as_stale" if stale else "matched")
    assert isinstance(last, Rejected if stale else Executed)
    assert resolved.drift == drift
    assert (resolved.expected, resolved.current, resolved.changed_paths) == (0, 3, (path,))


@pytest.mark.parametrize("paths", [(), ("/note",)])
def test_mutation_that_does_not_say_what_it_reads_reads_all(paths: tuple[str, ...]) -> None:
    history = approved("reject", by_somebody=True)
    given(*history).when(execute(moved(), *paths)).then_kinds(VersionResolved, Rejected)


def test_true_is_not_one_in_a_change_set() -> None:
    one: JsonValue = {"admins": [], "note": 1}
    true: JsonValue = {"admins": [], "note": True}
    history = submitted(LEAD, answer=evaluation(NOBODY, one))
    granting = given(*history).when(Approve(actor=ALAN)).decided()
    case = given(*history, *(by(ALAN, each) for each in granting))
    case.when(execute(evaluation(NOBODY, one, verdicts=None))).then_kinds(VersionResolved, Executed)
    assert case.when(execute(evaluation(NOBODY, true, verdicts=None))).then_request().status is Status.PENDING


def test_same_addition_to_a_longer_list_is_the_same_change() -> None:
    assert evaluation(NOBODY, ADA).change_set == evaluation(BOB, BOB_ADA).change_set
