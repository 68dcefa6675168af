"""Facts about calendars: when changes may run, and when nothing may."""

from datetime import date, timedelta
from typing import ClassVar

from governance.domain.terms import Fact
from governance.domain.values import Given, Id, Moment, Text


class Opening(Given):
    """It opens at the times of a cron expression, in the calendar's zone, each time for so long."""

    cron: Id
    lasts: timedelta


class Span(Given):
    """From a moment, until just before another."""

    begins: Moment
    ends: Moment


class CalendarFact(Fact):
    """An event of a calendar."""

    category: ClassVar[str] = "calendar"


class CalendarDefined(CalendarFact):
    """The calendar has these openings from now on; each definition is a version of the calendar.

    Nothing opens on the days `closed_on` (days of the zone), except what is `also_open`.
    """

    zone: str
    openings: tuple[Opening, ...]
    closed_on: tuple[date, ...] = ()
    also_open: tuple[Span, ...] = ()
    description: Text = ""


class FreezeDeclared(CalendarFact):
    """Nothing runs under this calendar during the freeze, whatever is open; without an end, until it is lifted."""

    freeze_id: str
    begins: Moment
    ends: Moment | None
    reason: str


class FreezeLifted(CalendarFact):
    """The freeze does not hold anything any more."""

    freeze_id: str
    reason: str | None = None


CalendarEvent = CalendarDefined | FreezeDeclared | FreezeLifted
"""What the stream of a calendar holds."""
