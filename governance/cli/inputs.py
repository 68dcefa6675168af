"""Reading what people type and pipe in: JSON, files, times."""

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from governance.domain.errors import InputError
from governance.domain.json_limits import parse_json

MAX_INPUT_BYTES = 16 * 1024 * 1024
"""More than any payload may have; what is longer is not even read."""

_DURATION = re.compile(r"([0-9]{1,6})\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def json_value(given: str, *, field: str) -> Any:
    """Return the JSON value given as text, as `@FILE`, or as `-` for standard input; InputError for what is not."""
    return parse_json(_text(given, field), field=field)


def moment(given: object, *, field: str) -> datetime | None:
    """Return the aware time that an ISO 8601 text names; InputError for others, also for a time without its zone."""
    if given is None:
        return None
    try:
        read = datetime.fromisoformat(given) if isinstance(given, str) else None
    except ValueError:
        read = None
    if read is None:
        _refuse(field, f"{str(given)[:80]!r} is not a time such as {_example()}")
    if read.tzinfo is None:
        _refuse(field, f"{given} says no time zone; write {_example()}")
    return read


def required_moment(given: str, *, field: str) -> datetime:
    """Return the aware time that an ISO 8601 text names; InputError for others."""
    read = moment(given, field=field)
    if read is None:
        _refuse(field, f"give a time such as {_example()}")
    return read


def duration(given: str, *, field: str) -> timedelta:
    """Return how long a text such as `90s`, `30m`, `2h` or `7d` says; InputError for others."""
    found = _DURATION.fullmatch(given.strip())
    if found is None:
        _refuse(field, f"{given[:80]!r} is not a duration such as 90s, 30m, 2h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def decoded(raw: bytes, field: str) -> str:
    """Return the bytes as text; InputError for what is not UTF-8, is empty or too long."""
    if len(raw) > MAX_INPUT_BYTES:
        _refuse(field, f"is longer than {MAX_INPUT_BYTES:,} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(field, f"is not UTF-8 text (byte {error.start:,})")
    if not text.strip():
        _refuse(field, "is empty; give JSON")
    return text


def _text(given: str, field: str) -> str:
    if given == "-":
        return decoded(sys.stdin.buffer.read(MAX_INPUT_BYTES + 1), field)
    if given.startswith("@"):
        return decoded(_file(given[1:], field), field)
    return given


def _file(name: str, field: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            return file.read(MAX_INPUT_BYTES + 1)
    except (OSError, ValueError) as error:
        _refuse(field, f"cannot read {name!r}: {getattr(error, 'strerror', None) or error}")


def _example() -> str:
    return datetime.now(UTC).replace(microsecond=0).isoformat()


def _refuse(field: str, what: str) -> NoReturn:
    msg = f"{field}: {what}"
    raise InputError(msg, field=field)
