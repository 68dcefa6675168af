"""One append: the events of one command, over one stream or several, that are stored together or not at all."""

from collections.abc import Sequence
from datetime import datetime

from governance.domain.actors import Actor
from governance.domain.errors import GovernanceError, OutcomeUnknownError, StoreUnavailableError
from governance.domain.events import Created, Event, RequestEvent
from governance.domain.evolution import evolve
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest
from governance.domain.state import StateVersion
from governance.event_store.log import EventLog
from governance.repository import Repository
from governance.streams import request_stream, state_stream


class Append:
    """Collects the events of one command, each in its place; all carry the same id, time and actor."""

    def __init__(self, append_id: str, actor: Actor, at: datetime) -> None:
        self.append_id = append_id
        self.actor = actor
        self.at = at
        self.recorded: list[Recorded] = []

    def put_off(self, until: datetime) -> None:
        """Let everything happen no earlier than then: when what it is based on was there. Requests are not told."""
        if until > self.at:
            self.at = until
            self.recorded = [each.model_copy(update={"at": until}) for each in self.recorded]

    def begin(self, request_id: str, event: Created, correlation_id: str) -> MutationRequest:
        """Put the first event of a new request and return that request."""
        (first,) = self.add(request_stream(request_id), 0, [event], correlation_id=correlation_id)
        return evolve(None, first)

    def observe(self, state: StateVersion) -> None:
        """Put what was seen of a state that lives in another system, if the log does not know it yet."""
        stream = state_stream(state.id)
        if state.observed is not None and all(each.stream != stream for each in self.recorded):
            self.add(stream, state.version - 1, [state.observed])

    def add_to(
        self, request: MutationRequest, events: Sequence[RequestEvent], *, causation_id: str | None = None
    ) -> MutationRequest:
        """Put events behind the last one of a request and return the request that they lead to."""
        added = self.add(
            request_stream(request.id),
            request.version,
            events,
            correlation_id=request.correlation_id,
            causation_id=causation_id,
        )
        for each in added:
            request = evolve(request, each)
        return request

    def add(
        self,
        stream: str,
        after: int,
        events: Sequence[Event],
        *,
        correlation_id: str | None = None,
        causation_id: str | None = None,
    ) -> Sequence[Recorded]:
        """Put events behind the version `after` of a stream and return them in their envelopes."""
        added = [
            Recorded.sound(
                stream=stream,
                version=version,
                at=self.at,
                by=self.actor,
                correlation_id=correlation_id,
                causation_id=causation_id,
                append_id=self.append_id,
                event=event,
                position=None,
            )
            for version, event in enumerate(events, start=after + 1)
        ]
        self.recorded += added
        return added

    def store(self, log: EventLog, repository: Repository, request: MutationRequest) -> MutationRequest:
        """Store everything in one transaction and return the request with the position of its last event.

        Raises ConcurrencyError when any of the streams has moved on; then nothing is stored.
        """
        (known,) = self.store_all(log, repository, (request,))
        return known

    def store_all(
        self, log: EventLog, repository: Repository, requests: Sequence[MutationRequest]
    ) -> Sequence[MutationRequest]:
        """Store everything in one transaction and return the requests, each with the position of its last event."""
        return self._stored(log.append(self.recorded), repository, requests)

    def _stored(
        self, positions: Sequence[int], repository: Repository, requests: Sequence[MutationRequest]
    ) -> Sequence[MutationRequest]:
        repository.saw(self.recorded, positions)
        last = dict(zip([each.stream for each in self.recorded], positions, strict=True))
        known = [each.model_copy(update={"position": last[request_stream(each.id)]}) for each in requests]
        for each in known:
            repository.keep(each)
        return known

    @staticmethod
    def store_each(
        appends: "Sequence[tuple[Append, MutationRequest]]", log: EventLog, repository: Repository
    ) -> Sequence[MutationRequest | GovernanceError]:
        """Store each append with events in a transaction that they share, and return its request or what refused it.

        Raises StoreUnavailableError and OutcomeUnknownError, which are about all of them.
        """
        settled = log.append_each([append.recorded for append, _ in appends])
        stored: list[MutationRequest | GovernanceError] = []
        for (append, request), each in zip(appends, settled, strict=True):
            if isinstance(each, StoreUnavailableError | OutcomeUnknownError):
                raise each
            stored += [each] if isinstance(each, GovernanceError) else append._stored(each, repository, (request,))
        return stored
