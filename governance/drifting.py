"""Drift: what was approved against what would run now, what changed in between, and saying yes again to that."""

from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

from governance.domain.actors import SYSTEM, Actor
from governance.domain.changes import ChangeSet, changed_paths, diff, touches
from governance.domain.commands import Approve, Execute
from governance.domain.drift import Shown, granted_in, shown, shown_in_rounds, to_confirm
from governance.domain.errors import NotFoundError, UnknownMutationError
from governance.domain.events import StateChanged, VersionResolved
from governance.domain.execution import outcome_of_resolving
from governance.domain.lifecycle import OPEN, Status
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest
from governance.domain.resolution import same_changes
from governance.domain.terms import ResolutionOutcome
from governance.domain.values import Value
from governance.event_store.log import EventLog
from governance.execution import Executor
from governance.handling import Handler
from governance.ids import request_key
from governance.intake import check_actor
from governance.repository import Repository
from governance.streams import request_stream, state_stream

MAX_CHANGES = 50
"""How many changes in between are told; the paths are complete in any case."""


class ChangeBetween(Value):
    """One version that the state got after the approval: by which request, for whom, why, and what it changed."""

    version: int
    at: datetime
    request_id: str
    requester: str | None
    mutation: str | None
    reason: str | None
    change_set: ChangeSet


class DriftReport(Value):
    """What was approved against what would run now, and what happened to the state in between.

    `approved` is what was shown in the round in which `by` said yes; when nobody has, what is shown now. `asked` is
    what there is to approve, or was approved, in the current round. `now` is what would run now, or did run; None when
    that cannot be told (the request ended otherwise, or its mutation is not registered here).
    `outcome` and `reason` say what executing would do now, for open requests. `changes` are the latest ones, oldest
    first; `left_out` is how many came before them. `matters` is whether the state moved in a way that concerns what the
    mutation reads or writes. `same` is whether the yes to `approved` was one to exactly this mutation and change set.
    `to_confirm` names the requirements on which the actor may repeat an earlier yes, bound to `digest`.
    """

    request_id: str
    state_id: str
    status: Status
    digest: str
    by: tuple[str, ...]
    approved: Shown
    asked: Shown
    now: Shown | None
    current: int
    outcome: ResolutionOutcome | None
    reason: str | None
    changes: tuple[ChangeBetween, ...]
    left_out: int
    changed_paths: tuple[str, ...]
    matters: bool | None
    same: bool
    to_confirm: tuple[str, ...] = ()


class DriftReader:
    """Compares what was approved with what is; stores nothing."""

    def __init__(
        self,
        log: EventLog,
        repository: Repository,
        executor: Executor,
        clock: Callable[[], datetime],
    ) -> None:
        self._log = log
        self._repository = repository
        self._executor = executor
        self._clock = clock

    def drift(self, request_id: str, actor: Actor | None) -> DriftReport:
        """Return the drift since the latest yes: of the actor, when one is given and ever said yes, else of anybody."""
        request = self._repository.request(request_id)
        history = self._log.stream(request_stream(request_id))
        rounds = shown_in_rounds(history)
        asked = rounds.get(request.round, shown(request))
        basis, by = _basis(request, rounds, asked, actor)
        current, now, command = self._now(request, history, actor or SYSTEM)
        changes = self._changes(request, basis.version, current)
        told = outcome_of_resolving(command, request, self._clock()) if command is not None else None
        paths = self._paths(request, basis.version, current, changes)
        latest = now or shown(request)
        return DriftReport(
            request_id=request.id,
            state_id=request.state_id,
            status=request.status,
            digest=request.digest,
            by=by,
            approved=basis,
            asked=asked,
            now=now,
            current=current,
            outcome=told.outcome if told else None,
            reason=told.reason if told else None,
            changes=changes,
            left_out=max(0, current - basis.version) - len(changes),
            changed_paths=paths,
            matters=self._matters(request, paths, moved=current != basis.version),
            same=basis.mutation.digest == latest.mutation.digest and same_changes(basis.change_set, latest.change_set),
            to_confirm=_confirmable(request, actor),
        )

    def _now(
        self, request: MutationRequest, history: Iterable[Recorded], actor: Actor
    ) -> tuple[int, Shown | None, Execute | None]:
        """Return the version to compare with, what runs on it, and the command that would run it."""
        if request.resulting_version is not None:
            version = request.resulting_version - 1
            return version, shown(request).model_copy(update={"version": version}), None
        if request.status not in OPEN:
            resolved = [each.event.current for each in history if isinstance(each.event, VersionResolved)]
            return max([request.evaluated_version, *resolved]), None, None
        try:
            state = self._executor.current_state(request.state_id, request.state_type)
            command = self._executor.command(request, state, actor, self._clock())
        except UnknownMutationError:
            found = self._repository.state(request.state_id)
            return (found.version if found else 0), None, None
        evaluation = command.evaluation
        amended = [each.amended.mutation for each in evaluation.amendments]
        runs = Shown(
            round=request.round,
            version=state.version,
            mutation=(amended or [request.mutation])[-1],
            change_set=evaluation.change_set,
        )
        return state.version, runs, command

    def _changes(self, request: MutationRequest, after: int, upto: int) -> tuple[ChangeBetween, ...]:
        if upto <= after:
            return ()
        latest = self._log.latest(state_stream(request.state_id), upto=upto, limit=min(MAX_CHANGES, upto - after))
        return tuple(
            self._change(each, each.event) for each in reversed(latest) if isinstance(each.event, StateChanged)
        )

    def _change(self, recorded: Recorded, event: StateChanged) -> ChangeBetween:
        try:
            cause: MutationRequest | None = self._repository.request(event.request_id)
        except NotFoundError:
            cause = None
        return ChangeBetween(
            version=recorded.version,
            at=recorded.at,
            request_id=event.request_id,
            requester=cause.requester.id if cause else None,
            mutation=cause.mutation.type if cause else None,
            reason=cause.reason if cause else None,
            change_set=event.change_set,
        )

    def _paths(
        self, request: MutationRequest, before: int, after: int, changes: tuple[ChangeBetween, ...]
    ) -> tuple[str, ...]:
        """Return where the two versions differ; without the state's type, wherever anything was changed in between."""
        if before == after:
            return ()
        try:
            was, is_now = (
                self._executor.version(request.state_id, request.state_type, each).value for each in (before, after)
            )
        except UnknownMutationError:
            return changed_paths(change for each in changes for change in each.change_set)
        return changed_paths(diff(was, is_now))

    def _matters(self, request: MutationRequest, paths: tuple[str, ...], *, moved: bool) -> bool | None:
        try:
            reads = self._executor.reads(request)
        except UnknownMutationError:
            return None
        return moved and (reads is None or touches(paths, reads))


def _basis(
    request: MutationRequest, rounds: dict[int, Shown], asked: Shown, actor: Actor | None
) -> tuple[Shown, tuple[str, ...]]:
    said_yes = (granted_in(request, actor.people) if actor else {}) or granted_in(request)
    number = max(said_yes, default=request.round)
    return rounds.get(number, asked), said_yes.get(number, ())


def _confirmable(request: MutationRequest, actor: Actor | None) -> tuple[str, ...]:
    if actor is None or request.status is not Status.PENDING:
        return ()
    return tuple(each.id for each in to_confirm(request, actor) if each.status == "open")


class DriftCommands:
    """The part of `Governance` that tells of drift and lets approvers answer it."""

    _drifts: DriftReader
    _handler: Handler

    def drift(self, request_id: str | UUID, *, actor: Actor | None = None) -> DriftReport:
        """Return what was approved against what would run now, and which requests changed what in between.

        With an actor, since that one's own latest yes. Nothing is stored. Raises NotFoundError.
        """
        if actor is not None:
            check_actor(actor)
        return self._drifts.drift(request_key(request_id), actor)

    def reconfirm(
        self, request_id: str | UUID, *, actor: Actor, seen: str, comment: str | None = None
    ) -> MutationRequest:
        """Say yes again, in a new round, to what one said yes to in an earlier one, after having `seen` what it is now.

        `seen` is the `digest` of the request or of `drift(...)`; if that is not what there is to approve any more,
        StaleError. Never counts for a requirement that asks for something else, or for others, than the earlier one:
        NotFoundError when there is nothing to say again. Raises what `approve` raises.
        """
        command = Approve(actor=actor, seen=seen, comment=comment, again=True)
        return self._handler.decide(request_key(request_id), command, None)
