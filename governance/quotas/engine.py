"""Tokens are given out, first come first served, and taken back from requests that did not run."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Final

from governance.appending import Append
from governance.domain.actors import SYSTEM
from governance.domain.condition_commands import Release
from governance.domain.condition_events import QuotaReserved
from governance.domain.conditions import QuotaRequirement
from governance.domain.decider import decide
from governance.domain.errors import ConcurrencyError
from governance.domain.events import RequestEvent
from governance.domain.expiry import due
from governance.domain.quota_events import TokensReleased, TokensReserved
from governance.domain.request import MutationRequest
from governance.engines.agenda import Agenda, Entry
from governance.engines.engine import Performed
from governance.engines.folding import QUOTA, RETURN
from governance.engines.performing import AgendaEngine, Store, answer
from governance.engines.schedules import waiting_for
from governance.event_store.agenda import AgendaRow
from governance.ids import new_id
from governance.quotas.keeping import Quotas
from governance.streams import quota_stream

MAX_AHEAD: Final = 100
"""How many of those who came before are served in passing."""


class Reserved:
    """What came of an attempt to reserve: done, not the request's turn yet (`ready` is False), or when to try again."""

    def __init__(self) -> None:
        self.done = False
        self.ready = True
        self.until: datetime | None = None


class Reservations(AgendaEngine):
    """Reserves tokens in the order in which requests came to wait, once nothing else keeps them.

    Nobody overtakes: while the first does not get as many tokens as it asks for, those behind it wait too.
    """

    name: ClassVar[str] = "quota"

    def __init__(self, agenda: Agenda, store: Store, quotas: Quotas) -> None:
        super().__init__(agenda)
        self.kinds = (QUOTA,)
        self._store = store
        self._quotas = quotas

    def do(self, entry: Entry, now: datetime) -> Performed:
        """Serve those who came before, then this one."""
        for _ in range(MAX_AHEAD):
            first = self._agenda.first_ready(entry.row.wake)
            if first is None or (first.request_id, first.item) == (entry.row.request_id, entry.row.item):
                break
            ahead = self._reserve(first, now)
            if ahead.ready and not ahead.done:
                return self.wait(entry, ahead.until)
            if not ahead.ready:
                self._agenda.set_aside(first)
            self._agenda.catch_up()
        own = self._reserve(entry.row, now)
        if own.done:
            return answer(entry, "done", "released")
        return self.wait(entry, own.until if own.ready else None)

    def _reserve(self, row: AgendaRow, now: datetime) -> Reserved:
        came = Reserved()

        def decided(request: MutationRequest, at: datetime, append: Append) -> Sequence[RequestEvent]:
            opened = waiting_for(request, row.item)
            came.done, came.ready, came.until = opened is None, True, None
            if opened is None or not isinstance(opened.asked, QuotaRequirement) or due(request, at):
                came.done = True
                return ()
            if any(each.asked.kind != "quota" for each in request.open_requirements):
                came.ready = False
                return ()
            asked = opened.asked
            quota, rule = self._quotas.current(asked.key, at)
            free_at = quota.free_at(rule, asked.tokens, at)
            if free_at != at:
                came.until = free_at
                return ()
            taken = TokensReserved(request_id=request.id, requirement_id=opened.id, tokens=asked.tokens)
            append.add(quota_stream(asked.key), quota.version, [taken], causation_id=request.id)
            came.done = True
            reserved = QuotaReserved(requirement_id=opened.id, key=asked.key, tokens=asked.tokens)
            return decide(Release(actor=SYSTEM, met=(reserved,)), request, at)

        self._store.act(row.request_id, now, decided)
        return came


class Returns(AgendaEngine):
    """Gives back what requests have taken that were rejected, canceled, expired or failed, or go round again."""

    name: ClassVar[str] = "quota return"

    def __init__(self, agenda: Agenda, store: Store, quotas: Quotas) -> None:
        super().__init__(agenda)
        self.kinds = (RETURN,)
        self._store = store
        self._quotas = quotas

    def do(self, entry: Entry, now: datetime) -> Performed:
        """Record that the tokens came back, once."""
        request = self._store.repository.request(entry.row.request_id)
        opened = next((each for each in request.requirements if each.id == entry.row.item), None)
        if opened is None or not isinstance(opened.asked, QuotaRequirement):
            self._agenda.remove(entry)
            return answer(entry, "done", "nothing to return")
        asked, quota = opened.asked, self._quotas.look(opened.asked.key)
        if self._quotas.returned(quota, (request.id, opened.id), entry.row.position):
            self._agenda.remove(entry)
            return answer(entry, "done", "returned before")
        append = Append(new_id(now), SYSTEM, now)
        event = TokensReleased(request_id=request.id, requirement_id=opened.id, tokens=asked.tokens)
        append.add(quota_stream(quota.key), quota.version, [event], causation_id=request.id)
        try:
            self._store.log.append(append.recorded)
        except ConcurrencyError as error:
            self._agenda.give_back(entry)
            return answer(entry, "lost", "lost", error)
        return answer(entry, "done", "returned")
