"""What every part of a policy file is made of: closed shapes, and times such as `1d12h`."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

_DURATION = r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?"
_UNITS = ("days", "hours", "minutes", "seconds")
MAX_DAYS = 36_500


def _duration(given: object) -> object:
    if isinstance(given, timedelta):
        return given
    found = re.fullmatch(_DURATION, given) if isinstance(given, str) and given else None
    numbers = [int(each[:7]) if each else 0 for each in found.groups()] if found else []
    length = timedelta(**dict(zip(_UNITS, numbers, strict=True))) if numbers else timedelta()
    if not timedelta() < length <= timedelta(days=MAX_DAYS):
        msg = "must be a time such as 30m, 6h or 1d12h, longer than zero"
        raise ValueError(msg)
    return length


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION}$", "minLength": 2, "examples": ["30m", "6h", "1d12h"]}),
]
"""Days, hours, minutes and seconds, in this order: `1d12h`, `90s`."""


class Part(BaseModel):
    """A part of a file: closed, strict and immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
