"""New ids: UUIDv7 (RFC 9562), which sort by time, so that the index of the events grows at one end."""

import os
import re
from collections import deque
from datetime import UTC, datetime, timedelta
from uuid import UUID

from governance.domain.errors import InputError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_VERSION_7 = 7 << 76
_VARIANT = 0b10 << 62
_USUAL = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

IDS_PER_FETCH = 256
_randomness: deque[int] = deque()
os.register_at_fork(after_in_child=_randomness.clear)  # a child would give out its parent's ids


def new_id(now: datetime) -> str:
    """Return a new UUIDv7 of the moment, as text: milliseconds, their fraction, and 62 random bits (section 5.7)."""
    milliseconds, micros = divmod(max(0, (now - _EPOCH) // _MICROSECOND), 1000)
    fraction = (micros << 12) // 1000
    value = (milliseconds & (1 << 48) - 1) << 80 | _VERSION_7 | fraction << 64 | _VARIANT | _random_bits()
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _random_bits() -> int:
    """Return 62 bits of the system's randomness, which is fetched for many ids at once.

    Asking for it lets another thread go first, so that with many callers each id would cost a change of threads.
    """
    try:
        return _randomness.pop()
    except IndexError:
        fetched = os.urandom(8 * IDS_PER_FETCH)
        _randomness.extend(int.from_bytes(fetched[at : at + 8]) >> 2 for at in range(8, len(fetched), 8))
        return int.from_bytes(fetched[:8]) >> 2


def request_key(request_id: object, field: str = "request_id") -> str:
    """Return a request id given as UUID or text in the one form in which it is stored; InputError for anything else."""
    if isinstance(request_id, UUID):
        return str(request_id)
    if type(request_id) is str and _USUAL.fullmatch(request_id):
        return request_id
    told = repr(request_id[:80]) if isinstance(request_id, str) else type(request_id).__name__
    try:
        return str(UUID(request_id if isinstance(request_id, str) else ""))
    except ValueError:
        msg = f"{field}: {told} is not the id of a request (a UUID)"
        raise InputError(msg, field=field) from None
