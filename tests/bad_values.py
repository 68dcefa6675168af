"""Values that callers get wrong, and values that only look wrong."""

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any

PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F))
HOUR = timedelta(hours=1)


class Lost(tzinfo):
    """A time zone that does not know its offset."""

    def utcoffset(self, moment: datetime | None) -> None:
        return None

    def dst(self, moment: datetime | None) -> None:
        return None

    def tzname(self, moment: datetime | None) -> None:
        return None


class Broken(str):
    """Text of a class of its own."""


def nested(depth: int) -> Any:
    """Return lists in lists."""
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def _loop() -> Any:
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    return loop


TEXTS: dict[str, Any] = {
    "NUL": "a\0b",
    "lone surrogate": "a\ud800b",
    "reversed surrogates": "\udc00\ud800",
    "override of direction": "a\u202eb\u202c",
    "Hebrew": "שלום",
    "emoji of several code points": "👩‍👩‍👧",
    "combining": "e\u0301\u0327",
    "noncharacter": "a\uffff\U0010ffff",
    "private use": "\ue000",
    "line breaks": "a\r\nb\u2028c\x85",
    "control": "a\x1b[31mb\x07",
    "byte order mark": "\ufeffa",
    "every printable character": PRINTABLE,
    "quotes": "'\"`$$;--/*\\%_{}",
    "like markup": "<script>alert(1)</script>&amp;",
    "like an envelope": '{"_type_": "uuid_hex", "_data_": "x"}',
    "spaces around": "  a  ",
    "zero width": "a\u200bb",
    "empty": "",
    "blank": " \t\n",
    "long": "x" * 201,
    "longer": "x" * 10_001,
    "one megabyte": "x" * 1_000_000,
    "one megabyte of four bytes": "🚀" * 250_000,
    "bytes": b"abc",
    "number": 7,
    "truth": True,
    "fraction": 1.5,
    "list": ["a"],
    "mapping": {"a": 1},
    "object": object(),
    "class": str,
    "subclass": Broken("abc"),
}

JSON: dict[str, Any] = {
    **{name: {"x": value} for name, value in TEXTS.items() if name != "object"},
    **{f"{name} as key": {value: 1} for name, value in TEXTS.items() if isinstance(value, str | int | float)},
    "deep": {"x": nested(100)},
    "very deep": {"x": nested(sys.getrecursionlimit() * 20)},
    "deep enough": {"x": nested(30)},
    "itself": _loop(),
    "not a number": {"x": [float("nan")]},
    "infinity": {"x": float("inf")},
    "negative infinity": {"x": -float("inf")},
    "negative zero": {"x": -0.0},
    "smallest": {"x": 5e-324},
    "largest": {"x": 1.7976931348623157e308},
    "safe integer": {"x": 2**53 - 1},
    "unsafe integer": {"x": 2**53},
    "huge integer": {"x": 10**400},
    "integer beyond conversion": {"x": -(10**5000)},
    "set": {"x": {1}},
    "tuple": {"x": (1, 2)},
    "object": {"x": object()},
    "datetime": {"x": datetime.now(UTC)},
    "none as key": {None: 1},
    "tuple as key": {(1, 2): 1},
    "many values": {"x": [0] * 10_001},
    "many keys": {str(number): 0 for number in range(10_001)},
    "300 KiB": {"x": "y" * 300 * 1024},
    "no mapping": [1],
    "text": "abc",
    "number": 5,
}

TIMES: dict[str, Any] = {
    "naive": datetime(2040, 1, 1),
    "before 1970": datetime(1900, 1, 1, tzinfo=UTC),
    "year one": datetime.min.replace(tzinfo=UTC),
    "before the calendar": datetime.min.replace(tzinfo=timezone(12 * HOUR)),
    "after 2200": datetime(2345, 6, 7, 8, 9, 10, 11, tzinfo=UTC),
    "last": datetime.max.replace(tzinfo=UTC),
    "after the calendar": datetime.max.replace(tzinfo=timezone(-12 * HOUR)),
    "another zone": datetime(2040, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45, seconds=7))),
    "lost zone": datetime(2040, 1, 1, tzinfo=Lost()),
    "date": date(2040, 1, 1),
    "text": "2040-01-01T00:00:00Z",
    "number": 2_208_988_800,
    "truth": True,
    "duration": HOUR,
    "object": object(),
}

NUMBERS: dict[str, Any] = {
    "zero": 0,
    "negative": -1,
    "truth": True,
    "fraction": 1.0,
    "not a number": float("nan"),
    "text": "1",
    "huge": 2**63,
    "beyond conversion": 10**5000,
    "list": [1],
    "object": object(),
}

ACTORS: dict[str, Any] = {
    "none": None,
    "text": "grace",
    "mapping": {"id": "grace"},
    "object": object(),
    "class": object,
    "number": 1,
}

Call = Callable[[Any], Any]
