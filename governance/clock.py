"""The time of day, as the product's own clock or the caller's tells it: always aware, always in UTC."""

from collections.abc import Callable
from datetime import UTC, datetime

from governance.domain.errors import ConfigurationError

Clock = Callable[[], datetime]


def utc_clock(given: Clock | None) -> Clock:
    """Return the clock to go by: the system's, or the given one with every answer checked.

    The clock that is returned raises ConfigurationError when the given one answers anything but an aware datetime.
    """
    if given is None:
        return _system
    asked: Clock = given

    def checked() -> datetime:
        moment: object = asked()
        if not isinstance(moment, datetime) or moment.utcoffset() is None:
            msg = f"the clock answered {moment!r}, which is not an aware datetime"
            raise ConfigurationError(msg)
        return moment.astimezone(UTC)

    return checked


def _system() -> datetime:
    return datetime.now(UTC)
