"""Glancing at stored reservations: whether one is too old to matter, without decoding all of it."""

from datetime import datetime
from typing import Any, Final

from msgspec import DecodeError, Struct
from msgspec.json import Decoder

from governance.domain.quota_events import TokensReserved


class Head(Struct):
    """What of an envelope says how to read it, and when it was made."""

    v: int
    at: datetime


_HEAD: Final = Decoder(Head)
_TOPIC: Final = TokensReserved.__name__


def reserved_before(stored: Any, moment: datetime) -> bool:
    """Return whether this is a reservation made before a moment; False for one that cannot be read like that."""
    if stored.topic != _TOPIC:
        return False
    try:
        head = _HEAD.decode(stored.state)
        return head.v == TokensReserved.schema_version and head.at < moment
    except (DecodeError, TypeError):  # not as we write it, or a time without a zone
        return False
