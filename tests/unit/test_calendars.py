"""Calendars: openings in zones whose clocks jump, closed days, extra openings and freezes."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from governance.calendars.calendar import Calendar, Freeze
from governance.calendars.openings import open_since, starts, zone_of
from governance.domain.calendar_events import CalendarDefined, Opening, Span

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def calendar(cron: str, lasts: timedelta, zone: str, **more: object) -> Calendar:
    defined = CalendarDefined(zone=zone, openings=(Opening(cron=cron, lasts=lasts),), **more)  # type: ignore[arg-type]
    return Calendar(name="c", version=1, defined=defined)


def local(zone: str, text: str) -> datetime:
    """Return a local time; `*` behind it is the second of two that the clock shows alike."""
    moment = datetime.fromisoformat(text.rstrip("*")).replace(tzinfo=ZoneInfo(zone), fold=int(text.endswith("*")))
    return moment.astimezone(UTC)


@pytest.mark.parametrize(
    ("zone", "cron", "lasts", "opens", "closes"),
    [
        ("Europe/Berlin", "30 2 * * *", 2 * HOUR, "2026-03-28 02:30", "2026-03-28 04:30"),
        # 2:30 does not exist on that day: it opens when the clock goes from 2:00 to 3:00, for two real hours.
        ("Europe/Berlin", "30 2 * * *", 2 * HOUR, "2026-03-29 03:00", "2026-03-29 05:00"),
        # 2:30 exists twice: it opens the first time only, for two real hours.
        ("Europe/Berlin", "30 2 * * *", 2 * HOUR, "2026-10-25 02:30", "2026-10-25 03:30"),
        ("Europe/Berlin", "0 1 * * *", 4 * HOUR, "2026-03-29 01:00", "2026-03-29 06:00"),
        ("Europe/Berlin", "0 1 * * *", 4 * HOUR, "2026-10-25 01:00", "2026-10-25 04:00"),
        ("America/New_York", "30 2 * * *", HOUR, "2026-03-08 03:00", "2026-03-08 04:00"),
        ("America/New_York", "30 1 * * *", HOUR, "2026-11-01 01:30", "2026-11-01 01:30*"),
        # Lord Howe's clocks jump by half an hour, from 2:00 to 2:30 and back from 2:00 to 1:30.
        ("Australia/Lord_Howe", "15 2 * * *", HOUR, "2026-10-04 02:30", "2026-10-04 03:30"),
        ("Australia/Lord_Howe", "45 1 * * *", HOUR, "2026-04-05 01:45", "2026-04-05 02:15"),
        # Midnight does not exist when Cairo's clocks go forward.
        ("Africa/Cairo", "0 0 * * *", HOUR, "2026-04-24 01:00", "2026-04-24 02:00"),
        ("Asia/Tokyo", "30 2 * * *", HOUR, "2026-03-29 02:30", "2026-03-29 03:30"),
        ("Asia/Kolkata", "30 2 * * *", HOUR, "2026-10-25 02:30", "2026-10-25 03:30"),
        ("UTC", "0 0 1 * *", HOUR, "2026-03-01 00:00", "2026-03-01 01:00"),
    ],
)
def test_opening_on_days_when_clocks_jump(zone: str, cron: str, lasts: timedelta, opens: str, closes: str) -> None:
    known, begins, ends = calendar(cron, lasts, zone), local(zone, opens), local(zone, closes)
    assert ends - begins == lasts
    assert not known.is_open(begins - timedelta(microseconds=1))
    assert known.is_open(begins)
    assert known.is_open(ends - timedelta(microseconds=1))
    assert not known.is_open(ends)
    assert known.next_open(begins - MINUTE) == begins


def test_wildcard_hour_opens_in_both_of_two_like_hours() -> None:
    hourly = calendar("0 * * * *", 10 * MINUTE, "Europe/Berlin")
    spans = hourly.windows(datetime(2026, 10, 24, 23, 30, tzinfo=UTC), 3)
    assert [each.begins for each in spans] == [datetime(2026, 10, 25, hour, tzinfo=UTC) for hour in (0, 1, 2)]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC"])
@pytest.mark.parametrize(
    "cron", ["30 2 * * *", "45 1 * * 0", "0 0 * * *", "15 */3 * * *", "*/20 2 * * *", "5 0 25 * *"]
)
@given(minutes=st.integers(0, 366 * 24 * 60), lasting=st.integers(1, 50 * 60))
def test_is_open_exactly_between_a_start_and_its_end(zone: str, cron: str, minutes: int, lasting: int) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + minutes * MINUTE
    opening = Opening(cron=cron, lasts=lasting * MINUTE)
    begun = []
    for start in CronSim(cron, (moment - opening.lasts - 3 * HOUR).astimezone(ZoneInfo(zone))):
        if start.astimezone(UTC) > moment + 3 * HOUR:
            break
        begun.append(start.astimezone(UTC))
    expected = max((each for each in begun if each <= moment < each + opening.lasts), default=None)
    assert open_since(opening, zone_of(zone), moment) == expected
    following = next(starts(opening, zone_of(zone), moment))
    assert following > moment
    assert all(each >= following for each in begun if each > moment)


def test_nothing_opens_on_a_closed_day_except_what_is_also_open() -> None:
    extra = Span(begins=local("Europe/Berlin", "2026-12-25 10:00"), ends=local("Europe/Berlin", "2026-12-25 11:00"))
    known = calendar(
        "0 22 * * *", 4 * HOUR, "Europe/Berlin", closed_on=(date(2026, 12, 24), date(2026, 12, 25)), also_open=(extra,)
    )
    assert known.is_open(local("Europe/Berlin", "2026-12-23 23:59"))
    assert not known.is_open(local("Europe/Berlin", "2026-12-24 00:00")), "a closed day begins at midnight"
    assert not known.is_open(local("Europe/Berlin", "2026-12-24 23:00"))
    assert known.is_open(local("Europe/Berlin", "2026-12-25 10:30"))
    assert known.next_open(local("Europe/Berlin", "2026-12-24 00:00")) == extra.begins
    assert known.next_open(extra.ends) == local("Europe/Berlin", "2026-12-26 00:00"), "opened on the closed day before"


def test_freeze_beats_every_window_and_an_endless_one_is_never_over() -> None:
    begins = datetime(2026, 3, 3, tzinfo=UTC)
    known = calendar("0 * * * *", HOUR, "UTC", also_open=(Span(begins=begins, ends=begins + 9 * HOUR),))
    frozen = known.model_copy(
        update={
            "freezes": (
                Freeze(id="f1", begins=begins, ends=begins + 3 * HOUR, reason="r"),
                Freeze(id="f2", begins=begins + 2 * HOUR, ends=begins + 5 * HOUR, reason="r"),
            )
        }
    )
    assert frozen.is_open(begins - MINUTE)
    assert not frozen.is_open(begins)
    assert frozen.next_open(begins) == begins + 5 * HOUR
    endless = Freeze(id="f3", begins=begins + 5 * HOUR, ends=None, reason="r")
    assert frozen.model_copy(update={"freezes": (*frozen.freezes, endless)}).next_open(begins) is None


def test_calendar_that_was_never_defined_is_closed_but_the_one_of_everything_is_open() -> None:
    now = datetime(2026, 3, 3, tzinfo=UTC)
    assert not Calendar(name="nightly").is_open(now)
    assert Calendar(name="nightly").next_open(now) is None
    assert Calendar(name="all").is_open(now)
