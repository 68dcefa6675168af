"""Superseding on submission: in the place of the request that the caller names, and of those that the newest beats."""

from collections.abc import Sequence

from governance.appending import Append
from governance.domain.catalog import Catalog
from governance.domain.commands import Replace, Submit, Supersede
from governance.domain.compensation import consequences
from governance.domain.decider import decide
from governance.domain.events import PlaceTaken, RequestEvent
from governance.domain.lifecycle import OPEN, Status
from governance.domain.request import MutationRequest
from governance.event_store.log import EventLog
from governance.execution import Executor
from governance.handling import check_same_state
from governance.repository import Repository
from governance.streams import place_stream


class Superseder:
    """Puts a new request in the place of others, all in the append that stores it."""

    def __init__(self, log: EventLog, repository: Repository, catalog: Catalog, executor: Executor) -> None:
        self._log = log
        self._repository = repository
        self._catalog = catalog
        self._executor = executor

    def supersede(self, command: Submit, append: Append, request: MutationRequest) -> MutationRequest:
        """Return the new request after it has taken the places that are its due; none when it was refused at once."""
        if command.supersedes is not None:
            old = self._repository.request(command.supersedes)
            check_same_state(old, request)
            if request.status in OPEN:
                self._replace(
                    old, decide(Supersede(actor=command.actor, by=request.id), old, append.at), append, request
                )
        if request.status in OPEN and command.compensates is None and self._catalog.newest_wins(command.mutation):
            return self._take_place(command, append, request)
        return request

    def _take_place(self, command: Submit, append: Append, request: MutationRequest) -> MutationRequest:
        """Supersede every older pending request of this kind about this state; the stream of the place is the witness.

        Each request that competes for the place is an event of its stream, so that of two that come at the same time
        the second sees the first. What has been approved stays: it is no longer waiting.
        """
        stream = place_stream(command.mutation.type, command.state_id)
        latest = self._log.latest(stream)
        version, rivals = (latest[0].version, latest[0].event) if latest else (0, None)
        stay: list[str] = []
        if isinstance(rivals, PlaceTaken):
            for rival in (*rivals.besides, rivals.request_id):
                old = self._repository.request(rival)
                if old.id == command.supersedes or old.status not in OPEN:
                    continue
                if old.status is Status.APPROVED:
                    stay.append(old.id)
                    continue
                by_rule = Supersede(actor=command.actor, by=request.id, newest_wins=True)
                self._replace(old, decide(by_rule, old, append.at), append, request)
                replace = Replace(actor=command.actor, predecessor=old.id)
                request = append.add_to(request, decide(replace, request, append.at))
        append.add(stream, version, [PlaceTaken(request_id=request.id, besides=tuple(stay))], causation_id=request.id)
        return request

    def _replace(
        self, old: MutationRequest, events: Sequence[RequestEvent], append: Append, request: MutationRequest
    ) -> None:
        append.add_to(old, events, causation_id=request.id)
        put_right = self._executor.original(old)
        if put_right is not None:
            append.add_to(put_right, consequences(old, put_right, events), causation_id=old.id)
