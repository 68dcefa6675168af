"""The agenda as engines use it: brought up to date with the log, then asked for what is due."""

from collections.abc import Sequence
from datetime import datetime
from threading import Lock
from typing import Final

from governance.engines.engine import DueItem
from governance.engines.folding import CALENDARS, QUOTA, QUOTAS, STEPS, micros, moment_of, read_all, steps
from governance.event_store.agenda import AgendaClaim, AgendaCount, AgendaPage, AgendaRow, AgendaTables
from governance.event_store.deadline import now as monotonic
from governance.event_store.log import EventLog, translated_errors
from governance.prefetching import Prefetch

PAGE: Final = 500
MAX_LISTED: Final = 10_000
LEASE_SECONDS: Final = 3.0
"""How long after a worker has died or stalled another does what it had been given."""
IN_TURN: Final = frozenset({QUOTA})
"""What is served in the order in which it came, among all that wait for the same."""
_TOPICS: Final = tuple(STEPS)


class Agenda:
    """Shared by the engines of one process; any number of processes keep the same tables up to date together."""

    def __init__(self, log: EventLog, prefetch: Prefetch | None = None) -> None:
        self._log = log
        self._prefetch = prefetch
        self._lock = Lock()
        self._begun = (0.0, 0)

    @property
    def _tables(self) -> AgendaTables:
        return self._log.event_recorder.agenda()  # asked each time, for a forked process has another

    def catch_up(self) -> int:
        """Take in what has been appended since, and return the position that the agenda is at."""
        asked = monotonic()
        with self._lock, translated_errors():
            if self._begun[0] > asked:  # another thread began after this one asked, and is done
                return self._begun[1]
            began, head = monotonic(), self._log.head()
            at = self._tables.position()
            while at < head:
                found = self._log.stored(at, PAGE, upto=head, topics=_TOPICS)
                after = head if len(found) < PAGE else int(found[-1].id)
                page = AgendaPage(before=at, after=after, steps=tuple(map(dict, steps(read_all(found)))))
                at = after if self._tables.take_in(page) else self._tables.position()
            self._begun = (began, at)
            return at

    def due(
        self,
        engine: str,
        kinds: Sequence[str],
        now: datetime,
        limit: int,
        *,
        lease_seconds: float = LEASE_SECONDS,
    ) -> Sequence["Entry"]:
        """Return what is due of these kinds, longest due first, each for the caller alone until its lease runs out."""
        self.catch_up()
        asked = AgendaClaim(kinds=tuple(kinds), now=micros(now), limit=limit, seconds=lease_seconds)
        with translated_errors():
            rows = self._tables.claim(asked)
        if self._prefetch is not None:
            self._prefetch.requests(each.request_id for each in rows)
            self._prefetch.states(each.state_id for each in rows if each.state_id)
        return [Entry.of(engine, row) for row in rows]

    def due_kinds(self, kinds: Sequence[str], now: datetime) -> Sequence[str]:
        """Return of which of these kinds something is due now."""
        self.catch_up()
        with translated_errors():
            return self._tables.due_kinds(kinds, micros(now))

    def put_off(self, entry: "Entry", until: datetime | None, *, tries: int = 0) -> None:
        """Give an entry back, due at another time, or when an event makes it due."""
        with translated_errors():
            self._tables.put_off(entry.row, None if until is None else micros(until), tries)

    def give_back(self, entry: "Entry") -> None:
        """Give an entry back as it was."""
        with translated_errors():
            self._tables.put_off(entry.row, entry.row.due_at, entry.row.tries)

    def remove(self, entry: "Entry") -> None:
        """Take an entry away of which the log says nothing more; not if an event has touched it meanwhile."""
        with translated_errors():
            self._tables.remove(entry.row)

    def settled(self, entry: "Entry", keys: Sequence[str]) -> int:
        """Wait for these keys no longer, and return how many are left."""
        with translated_errors():
            return self._tables.settled(entry.row, keys)

    def waiting(self, wake: str, limit: int) -> Sequence[AgendaRow]:
        """Return what waits to be woken by a key, in the order in which it came."""
        with translated_errors():
            return self._tables.waiting(wake, limit)

    def first_ready(self, wake: str) -> AgendaRow | None:
        """Return the first, in the order in which they came, of those that wait for nothing but what the key says."""
        with translated_errors():
            found = self._tables.waiting(wake, 1, ready=True)
        return found[0] if found else None

    def set_aside(self, row: AgendaRow) -> None:
        """Have a row wait until an event makes it due."""
        with translated_errors():
            self._tables.put_off(row, None, row.tries)

    def calendars(self) -> list[str]:
        """Return the names of all calendars."""
        self.catch_up()
        return [each.item for each in self.waiting(CALENDARS, MAX_LISTED)]

    def quotas(self) -> list[str]:
        """Return the keys of all quotas that were defined or used."""
        self.catch_up()
        return [each.item for each in self.waiting(QUOTAS, MAX_LISTED)]

    def count(self) -> Sequence[AgendaCount]:
        """Return how much there is of each kind, and since when the longest due one is."""
        with translated_errors():
            return self._tables.count()

    def rebuild(self) -> int:
        """Empty the agenda and derive it from the whole log; return the position that it is at then."""
        with translated_errors():
            self._tables.forget()
        return self.catch_up()


class Entry(DueItem):
    """A due item with the row that it came from."""

    row: AgendaRow

    @classmethod
    def of(cls, engine: str, row: AgendaRow) -> "Entry":
        """Return the item that a row of the agenda stands for."""
        return cls.sound(
            engine=engine,
            key=f"{row.request_id}/{row.item}",
            due_at=moment_of(row.due_at or 0),
            request_id=row.request_id,
            group=row.state_id or (row.wake if row.kind in IN_TURN else "") or None,
            tries=row.tries,
            touched=row.touched,
            row=row,
        )
