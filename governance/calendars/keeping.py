"""Keeping calendars: defining, freezing and lifting, each an event of the calendar's own stream."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from governance.appending import Append
from governance.calendars.calendar import Calendar, calendar_after
from governance.calendars.openings import check_opening, zone_of
from governance.domain.actors import Actor
from governance.domain.calendar_events import (
    CalendarDefined,
    CalendarEvent,
    FreezeDeclared,
    FreezeLifted,
    Opening,
    Span,
)
from governance.domain.conditions import EVERYTHING
from governance.domain.errors import ConcurrencyError, InputError, NotFoundError
from governance.domain.values import Given, Id, Moment, Reason, Text
from governance.event_store.log import EventLog
from governance.ids import new_id
from governance.retrying import attempts
from governance.rights import Rights
from governance.settings import Settings
from governance.streams import calendar_stream

MAX_OPENINGS: Final = 100
FRESH_SECONDS: Final = 0.25
"""How long what is known of freezes may be behind another process, so that executing costs no read."""

# Kept in a tuple because time-freezing test tools replace functions that they find as module attributes.
_CLOCK: Final = (time.monotonic,)


class Definition(Given):
    """What a calendar is defined by."""

    name: Id
    zone: Id
    openings: tuple[Opening, ...]
    closed_on: tuple[date, ...] = ()
    also_open: tuple[Span, ...] = ()
    description: Text = ""


class Freezing(Given):
    """What a freeze is declared by."""

    name: Id
    begins: Moment
    ends: Moment | None
    reason: Reason


class Calendars:
    """The calendars of a store; for administrators and holders of `settings.calendar_role` to change."""

    def __init__(
        self,
        log: EventLog,
        clock: Callable[[], datetime],
        settings: Settings,
        names: Callable[[], Iterable[str]],
        rights: Rights | None = None,
    ) -> None:
        self._log = log
        self._clock = clock
        self._settings = settings
        self._names = names
        self._rights = rights or Rights()
        self._kept: dict[str, tuple[Calendar, float]] = {}

    def now(self) -> datetime:
        """Return what the clock says."""
        return self._clock()

    def all(self) -> Sequence[Calendar]:
        """Return every calendar, by name."""
        return [self.look(name) for name in sorted(self._names())]

    def get(self, name: str) -> Calendar:
        """Return the calendar as it is now; NotFoundError when there is none."""
        calendar = self.look(name)
        if calendar.version == 0:
            msg = f"there is no calendar {name}"
            raise NotFoundError(msg, calendar=name)
        return calendar

    def look(self, name: str, *, fresh: bool = True) -> Calendar:
        """Return the calendar, empty when there is none; without `fresh` possibly as it was a moment ago."""
        kept, seen = self._kept.get(name, (Calendar(name=name), float("-inf")))
        if not fresh and _CLOCK[0]() - seen < FRESH_SECONDS:
            return kept
        now = _CLOCK[0]()
        for each in self._log.stream(calendar_stream(name), after=kept.version):
            kept = calendar_after(kept, each)
        self._kept[name] = (kept, now)
        return kept

    def define(
        self,
        name: str,
        *,
        zone: str,
        openings: Iterable[tuple[str, timedelta]],
        closed_on: Iterable[date] = (),
        also_open: Iterable[tuple[datetime, datetime]] = (),
        description: str = "",
        actor: Actor,
    ) -> Calendar:
        """Define a calendar, or give it a new version: openings as (cron expression, how long), in an IANA zone.

        Nothing opens on the days `closed_on`, except during `also_open` (from, until). Raises InputError for what is no
        zone, expression or time, NotAuthorizedError.
        """
        if name == EVERYTHING:
            msg = f"name: {EVERYTHING} is the calendar of everything; it has freezes, but no openings"
            raise InputError(msg, field="name")
        given = Definition(
            name=name,
            zone=zone,
            openings=tuple(Opening(cron=cron, lasts=lasts) for cron, lasts in openings),
            closed_on=tuple(sorted({*closed_on})),
            also_open=tuple(Span(begins=begins, ends=ends) for begins, ends in also_open),
            description=description,
        )
        self._check(given)
        event = CalendarDefined(
            zone=given.zone,
            openings=given.openings,
            closed_on=given.closed_on,
            also_open=given.also_open,
            description=given.description,
        )
        return self._append(name, actor, lambda _: event)

    def freeze(
        self, name: str, *, begins: datetime | None = None, ends: datetime | None, reason: str, actor: Actor
    ) -> Calendar:
        """Declare that nothing runs under a calendar from a time (default: now) until another, or until it is lifted.

        The calendar `all` holds every request, whether it asks for a window or not. Freezes beat every window, and
        hold requests that were approved before. Raises NotFoundError, InputError, NotAuthorizedError.
        """
        given = Freezing(name=name, begins=begins or self._clock(), ends=ends, reason=reason)
        if given.ends is not None and given.ends <= given.begins:
            msg = "ends: a freeze ends later than it begins"
            raise InputError(msg, field="ends")

        def decide(calendar: Calendar) -> CalendarEvent:
            if calendar.defined is None and name != EVERYTHING:
                msg = f"there is no calendar {name}"
                raise NotFoundError(msg, calendar=name)
            freeze_id = f"f{calendar.version + 1}"
            return FreezeDeclared(freeze_id=freeze_id, begins=given.begins, ends=given.ends, reason=given.reason)

        return self._append(name, actor, decide)

    def lift(self, name: str, freeze_id: str, *, actor: Actor, reason: str | None = None) -> Calendar:
        """End a freeze now, or take back one that has not begun; NotFoundError when there is none of that id."""

        def decide(calendar: Calendar) -> CalendarEvent:
            if all(each.id != freeze_id for each in calendar.freezes):
                msg = f"calendar {name} has no freeze {freeze_id}"
                raise NotFoundError(msg, calendar=name, freeze=freeze_id)
            return FreezeLifted(freeze_id=freeze_id, reason=reason)

        return self._append(name, actor, decide)

    def next_open(self, window: str | None, moment: datetime, *, fresh: bool = True) -> datetime | None:
        """Return the first moment, not before this one, at which a request may run that asks for the window or none.

        Without `fresh`, a freeze that was declared a moment ago may not count yet; that it is closed is never said by
        what is older than that.
        """
        if not fresh and self._next_open(window, moment, fresh=False) == moment:
            return moment
        return self._next_open(window, moment, fresh=True)

    def _next_open(self, window: str | None, moment: datetime, *, fresh: bool) -> datetime | None:
        everything = self.look(EVERYTHING, fresh=fresh)
        calendar = self.look(window, fresh=fresh) if window else None
        at: datetime | None = moment
        while at is not None:
            before = at
            at = everything.next_open(at)
            if at is not None and calendar is not None:
                at = calendar.next_open(at)
            if at == before:
                return at
        return None

    def _check(self, given: Definition) -> None:
        zone, now = zone_of(given.zone), self._clock()
        if not (given.openings or given.also_open) or len(given.openings) > MAX_OPENINGS:
            msg = f"openings: a calendar has from 1 to {MAX_OPENINGS} openings"
            raise InputError(msg, field="openings")
        for each in given.openings:
            check_opening(each, zone, now)
        if any(each.ends <= each.begins for each in given.also_open):
            msg = "also_open: each ends later than it begins"
            raise InputError(msg, field="also_open")

    def _append(self, name: str, actor: Actor, decide: Callable[[Calendar], CalendarEvent]) -> Calendar:
        self._rights.check(actor, self._settings.calendar_role, "change calendars", calendar=name)
        lost: ConcurrencyError | None = None
        for _ in attempts(self._settings.budget_seconds):
            calendar = self.look(name)
            now = self._clock()
            append = Append(new_id(now), actor, now)
            append.add(calendar_stream(name), calendar.version, [decide(calendar)])
            try:
                self._log.append(append.recorded)
            except ConcurrencyError as error:
                lost = error
            else:
                return self.look(name)
        raise lost or ConcurrencyError(f"others kept changing calendar {name}", calendar=name)
