"""A calendar as its events have made it: when it is open, when it opens next, and what holds it closed."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from governance.calendars.openings import open_since, starts, zone_of
from governance.domain.calendar_events import CalendarDefined, FreezeDeclared, FreezeLifted, Span
from governance.domain.conditions import EVERYTHING
from governance.domain.errors import MisplacedEventError
from governance.domain.recorded import Recorded
from governance.domain.values import Value

MAX_STEPS: Final = 5_000
"""How many boundaries are looked at before a calendar counts as never opening."""


class Freeze(Value):
    """During this time nothing runs, whatever is open; without an end, until it is lifted."""

    id: str
    begins: datetime
    ends: datetime | None
    reason: str

    def holds(self, moment: datetime) -> bool:
        """Return whether the freeze is on at the moment."""
        return self.begins <= moment and (self.ends is None or moment < self.ends)


class Calendar(Value):
    """What is known of a calendar after its latest event; one that was never defined has freezes only."""

    name: str
    version: int = 0
    defined: CalendarDefined | None = None
    freezes: tuple[Freeze, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """Return the zone in which its openings are told."""
        return zone_of(self.defined.zone if self.defined is not None else "UTC")

    def frozen(self, moment: datetime) -> Freeze | None:
        """Return the freeze that is on at the moment and ends last, None when none is."""
        on = [each for each in self.freezes if each.holds(moment)]
        return max(on, key=lambda each: (each.ends is None, each.ends or moment), default=None)

    def is_open(self, moment: datetime) -> bool:
        """Return whether changes may run under it: a freeze beats everything, what is also open beats a closed day."""
        if self.frozen(moment) is not None:
            return False
        if self.defined is None:
            return self.name == EVERYTHING
        if any(each.begins <= moment < each.ends for each in self.defined.also_open):
            return True
        if moment.astimezone(self.zone).date() in self.defined.closed_on:
            return False
        return any(open_since(each, self.zone, moment) is not None for each in self.defined.openings)

    def next_open(self, moment: datetime) -> datetime | None:
        """Return the first moment, not before this one, at which it is open; None when that is not in sight."""
        for _ in range(MAX_STEPS):
            if self.is_open(moment):
                return moment
            following = self._next_boundary(moment)
            if following is None:
                return None
            moment = following
        return None

    def windows(self, moment: datetime, limit: int) -> list[Span]:
        """Return the next windows that open after the moment, as they are defined and not frozen."""
        return list(islice(self._windows(moment), limit))

    def _windows(self, moment: datetime) -> Iterator[Span]:
        defined, at = self.defined, moment
        if defined is None:
            return
        for _ in range(MAX_STEPS):
            following = self._next_boundary(at)
            if following is None:
                return
            at = following
            lasting = [each.lasts for each in defined.openings if open_since(each, self.zone, at) == at]
            ends = [at + each for each in lasting] + [each.ends for each in defined.also_open if each.begins == at]
            if ends and self.is_open(at):
                yield Span(begins=at, ends=max(ends))

    def _next_boundary(self, moment: datetime) -> datetime | None:
        frozen = self.frozen(moment)
        if frozen is not None:
            return frozen.ends
        return min(self._boundaries(moment), default=None)

    def _boundaries(self, moment: datetime) -> Iterable[datetime]:
        """Yield the moments after this one at which it may open."""
        if self.defined is None:
            return
        local = moment.astimezone(self.zone).date()
        if local in self.defined.closed_on:
            yield datetime.combine(local + timedelta(days=1), time(), self.zone).astimezone(UTC)
        yield from (each.begins for each in self.defined.also_open if each.begins > moment)
        for each in self.defined.openings:
            yield from islice(starts(each, self.zone, moment), 1)


def calendar_after(calendar: Calendar, recorded: Recorded) -> Calendar:
    """Return the calendar after one of its events."""
    event = recorded.event
    match event:
        case CalendarDefined():
            update: dict[str, object] = {"defined": event}
        case FreezeDeclared():
            new = Freeze(id=event.freeze_id, begins=event.begins, ends=event.ends, reason=event.reason)
            update = {"freezes": (*calendar.freezes, new)}
        case FreezeLifted():
            update = {"freezes": tuple(each for each in calendar.freezes if each.id != event.freeze_id)}
        case _:
            msg = f"{recorded.stream} holds {type(event).__name__}, which is not an event of a calendar"
            raise MisplacedEventError(msg, stream=recorded.stream, version=recorded.version)
    return calendar.model_copy(update={**update, "version": recorded.version})
