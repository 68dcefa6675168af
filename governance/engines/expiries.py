"""Expiry: requests and requirements whose time has passed end, each by an event of its own."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import ClassVar

from governance.appending import Append
from governance.domain.actors import SYSTEM
from governance.domain.commands import Expire
from governance.domain.decider import decide
from governance.domain.events import RequestEvent
from governance.domain.expiry import due
from governance.domain.lifecycle import OPEN
from governance.domain.request import MutationRequest
from governance.engines.agenda import Agenda, Entry
from governance.engines.engine import Performed
from governance.engines.folding import EXPIRY
from governance.engines.performing import AgendaEngine, Store, answer


class Expiries(AgendaEngine):
    """Records what time has ended; what was decided before the deadline counts, however late the sweep comes."""

    name: ClassVar[str] = "expiry"

    def __init__(self, agenda: Agenda, store: Store) -> None:
        super().__init__(agenda)
        self.kinds = (EXPIRY,)
        self._store = store

    def do(self, entry: Entry, now: datetime) -> Performed:
        """Record the end, or put it off to the next deadline."""
        request = self._store.act(entry.row.request_id, now, _expired)
        if request.status not in OPEN:
            return answer(entry, "done", str(request.status))
        return self.wait(entry, min(_deadlines(request, now), default=None))


def _expired(request: MutationRequest, at: datetime, append: Append) -> Sequence[RequestEvent]:
    del append
    if request.status not in OPEN or not due(request, at):
        return ()
    return decide(Expire(actor=SYSTEM), request, at)


def _deadlines(request: MutationRequest, now: datetime) -> Iterator[datetime]:
    for ends in (request.expires_at, *(each.expires_at for each in request.current_requirements)):
        if ends is not None and ends > now:
            yield ends
