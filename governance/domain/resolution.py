"""Version resolution: whether what was approved may run on the state as it is now, and what happens when not."""

from governance.domain.changes import ChangeSet, same, touches
from governance.domain.commands import Evaluation, Execute
from governance.domain.digest import canonical
from governance.domain.request import MutationRequest
from governance.domain.requirements import ApprovalRequirement, Requirement
from governance.domain.terms import Drift, ResolutionOutcome, Stale, Verdict
from governance.domain.values import Value

MAX_PATHS = 5
"""How many paths a reason names."""


class Resolution(Value):
    """What came of comparing the evaluated version with the current one, and why.

    `end_code` is set when the request ends here: `stale`, `validation-failed` or `policy-denied`.
    """

    outcome: ResolutionOutcome
    expected: int
    current: int
    strategy: Stale
    reason: str
    end_code: str | None = None
    changed_paths: tuple[str, ...] = ()
    drift: tuple[Drift, ...] = ()


def is_stale(
    request: MutationRequest, version: int, reads: tuple[str, ...] | None, changed_paths: tuple[str, ...]
) -> bool:
    """Return whether the state has moved in a way that matters: not, if only outside what the mutation reads."""
    if version == request.evaluated_version:
        return False
    return reads is None or touches(changed_paths, reads)


def resolve(request: MutationRequest, command: Execute) -> Resolution:
    """Return the one way on for an approved request on the current state (the table in docs/explanation)."""
    evaluation = command.evaluation
    if is_stale(request, evaluation.state_version, evaluation.reads, command.changed_paths):
        outcome, reason, end_code = _stale(request, evaluation)
    else:
        outcome, reason, end_code = _current(request, evaluation)
    return Resolution.sound(
        outcome=outcome,
        expected=request.evaluated_version,
        current=evaluation.state_version,
        strategy=request.stale,
        reason=reason,
        end_code=end_code,
        changed_paths=command.changed_paths,
        drift=command.drift,
    )


Answer = tuple[ResolutionOutcome, str, str | None]


def _current(request: MutationRequest, evaluation: Evaluation) -> Answer:
    moved = evaluation.state_version != request.evaluated_version
    if evaluation.validation_errors:
        return "matched", "; ".join(evaluation.validation_errors), "validation-failed"
    if evaluation.failure is None and _differs_from_approved(request, evaluation):
        where = differing_paths(request.change_set, evaluation.change_set)
        return "renewal_required", f"it would not change what was approved, on the same state ({where})", None
    if moved:
        reads = ", ".join(evaluation.reads or ()) or "nothing"
        return "matched", f"the state has moved, but only outside what this mutation reads and writes ({reads})", None
    return "matched", "the state is as it was evaluated", None


def _stale(request: MutationRequest, evaluation: Evaluation) -> Answer:
    moved = f"the state moved from version {request.evaluated_version} to {evaluation.state_version}"
    if request.stale == "reject":
        return "rejected_as_stale", moved, "stale"
    problem = evaluation.failure or "; ".join(evaluation.validation_errors)
    if problem:
        return "rejected_as_stale", f"{moved} and it does not fit any more: {problem}", "validation-failed"
    denied = denials(evaluation.verdicts or ())
    if denied:
        return "rejected_as_stale", f"{moved} and {denial_text(denied)}", "policy-denied"
    return _valid_on_latest(request, evaluation, moved)


def _valid_on_latest(request: MutationRequest, evaluation: Evaluation, moved: str) -> Answer:
    if request.stale == "renew" and request.answered_requirements:
        return "renewal_required", f"{moved}, and every approval was for the earlier one", None
    if evaluation.amendments and request.answered_requirements:
        return "renewal_required", f"{moved}, and policies now put another mutation in its place", None
    unmet = unmet_demands(request, evaluation)
    if unmet:
        more = "; ".join(map(_told, unmet))
        return "renewal_required", f"{moved}, and policies now ask for more than was given: {more}", None
    if _differs_from_approved(request, evaluation):
        where = differing_paths(request.change_set, evaluation.change_set)
        return "renewal_required", f"{moved}, and it would now change something else than was approved ({where})", None
    return "revalidated", f"{moved}; validation, policies and the change set say the same as before", None


def _differs_from_approved(request: MutationRequest, evaluation: Evaluation) -> bool:
    return bool(request.answered_requirements) and not same_changes(request.change_set, evaluation.change_set)


def same_changes(one: ChangeSet, other: ChangeSet) -> bool:
    """Return whether two change sets are the same; true is not 1."""
    return same(
        [change.model_dump(mode="json") for change in one],
        [change.model_dump(mode="json") for change in other],
    )


def differing_paths(one: ChangeSet, other: ChangeSet) -> str:
    """Return, in one line, where two change sets are not the same."""
    mine, theirs = ({canonical(each.model_dump(mode="json")): each.path for each in some} for some in (one, other))
    paths = sorted({*(mine[each] for each in mine.keys() - theirs), *(theirs[each] for each in theirs.keys() - mine)})
    more = f" and {len(paths) - MAX_PATHS} more" if len(paths) > MAX_PATHS else ""
    return ", ".join(each or "all of it" for each in paths[:MAX_PATHS]) + more if paths else "in another order"


def _told(requirement: Requirement) -> str:
    if not isinstance(requirement, ApprovalRequirement):
        return str(requirement.kind)
    people = "1 approval" if requirement.quorum == 1 else f"{requirement.quorum} approvals"
    return f"{people} by {' or '.join(map(str, requirement.approvers))}"


def unmet_demands(request: MutationRequest, evaluation: Evaluation) -> tuple[Requirement, ...]:
    """Return what policies demand now and no satisfied requirement of this round covers."""
    met = {each.asked.demands() for each in request.current_requirements if each.status == "satisfied"}
    return tuple(each for each in evaluation.requirements if each.demands() not in met)


def denials(verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    """Return the verdicts that say no."""
    return tuple(each for each in verdicts if each.decision == "deny")


def denial_text(denied: tuple[Verdict, ...]) -> str:
    """Return who said no and why, in one line."""
    return "; ".join(f"policy {each.policy} denies: {each.reason or each.code or 'no reason given'}" for each in denied)
