"""Openings: when a cron expression opens a window, in a zone whose clocks may jump.

Times follow cron as Debian runs it (the library cronsim): a time that does not exist that day, because clocks go
forward, opens at the first moment after the gap; a time that exists twice, because they go back, opens once, the first
time, unless the hour is a wildcard. How long it lasts is real time, whatever clocks do meanwhile.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from governance.domain.calendar_events import Opening
from governance.domain.errors import InputError

SHORTEST: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(days=31)
_FIELDS: Final = 5
_JUMP: Final = timedelta(hours=3)
"""Further than clocks are put forward or back; what cron says is asked for from beyond the jump and sorted out."""


def zone_of(name: str) -> ZoneInfo:
    """Return the zone with this IANA name; InputError for any other."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        msg = f"zone: there is no time zone {name!r} (an IANA name, such as Europe/Berlin)"
        raise InputError(msg, field="zone") from None


def check_opening(opening: Opening, zone: ZoneInfo, now: datetime) -> None:
    """Refuse an opening that is no cron expression of five fields, lasts no sensible time, or never comes."""
    if len(opening.cron.split()) != _FIELDS:
        msg = f"opening: {opening.cron!r} has not five fields: minute, hour, day of month, month, day of week"
        raise InputError(msg, field="opening")
    if not SHORTEST <= opening.lasts <= LONGEST:
        msg = f"opening: it lasts from one minute to {LONGEST.days} days, not {opening.lasts}"
        raise InputError(msg, field="opening")
    try:
        next(CronSim(opening.cron, now.astimezone(zone)))
    except CronSimError as error:
        msg = f"opening: {opening.cron!r} is no cron expression: {error}"
        raise InputError(msg, field="opening") from None
    except StopIteration:
        msg = f"opening: {opening.cron!r} never comes"
        raise InputError(msg, field="opening") from None


def starts(opening: Opening, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Yield when it opens, from just after a moment on, each moment once and in order."""
    last = after
    for start in CronSim(opening.cron, (after - _JUMP).astimezone(zone)):
        moment = start.astimezone(UTC)
        if moment > last:
            last = moment
            yield moment


def open_since(opening: Opening, zone: ZoneInfo, moment: datetime) -> datetime | None:
    """Return when the window that is open at the moment opened, None when it is closed."""
    for start in CronSim(opening.cron, (moment + _JUMP).astimezone(zone), reverse=True):
        opened = start.astimezone(UTC)
        if opened <= moment:
            return opened if moment < opened + opening.lasts else None
    return None
