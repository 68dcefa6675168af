"""Prefetching: requests and states that are about to be needed one by one are read at once, so that each is there."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from governance.domain.errors import GovernanceError
from governance.domain.evolution import replay
from governance.domain.state import StateVersion
from governance.domain.state_evolution import state_version
from governance.event_store.log import EventLog
from governance.repository import Repository
from governance.streams import request_stream, state_stream, stream_id

WORTH_IT: Final = 2
"""One is read as quickly by whoever needs it."""
MOST_EVENTS: Final = 100
"""A request with more events is left to whoever needs it: together they could be too much to read at once."""


class Prefetch:
    """Reads what nothing is kept of; what is damaged is passed over, for whoever needs it finds that out."""

    def __init__(self, log: EventLog, repository: Repository) -> None:
        self._log = log
        self._repository = repository

    def requests(self, request_ids: Iterable[str]) -> None:
        """Have these requests kept, folded from their streams."""
        unknown = self._repository.unknown(request_ids)
        if len(unknown) < WORTH_IT:
            return
        for stored in self._streams([request_stream(each) for each in unknown], MOST_EVENTS + 1):
            if len(stored) <= MOST_EVENTS and stored[-1].originator_version == len(stored):
                with suppress(GovernanceError):
                    request = replay(map(self._log.decoded, stored))
                    if request is not None:
                        self._repository.keep(request)

    def states(self, state_ids: Iterable[str]) -> None:
        """Have the latest versions of these states kept."""
        unknown = self._repository.unknown_states(state_ids)
        if len(unknown) < WORTH_IT:
            return
        absent = set(unknown)
        for [stored] in self._streams([state_stream(each) for each in unknown], None):
            absent.discard(stream_id(stored.originator_id))
            with suppress(GovernanceError):
                self._repository.keep_state(state_version(self._log.decoded(stored)))
        for state_id in absent:
            self._repository.keep_state(StateVersion(id=state_id))

    def _streams(self, names: Sequence[str], upto: int | None) -> Iterator[list[Any]]:
        found = sorted(self._log.stored_of(names, upto=upto), key=attrgetter("originator_id", "originator_version"))
        for _, stored in groupby(found, key=attrgetter("originator_id")):
            yield list(stored)
