"""Text from elsewhere, made safe to print: nothing in it can steer a terminal or hide what it says."""

import json
from typing import Any

MAX_SHOWN = 400
"""How many characters of one text are shown to people; `--json` gives all of it."""


def visible(text: object, *, limit: int | None = MAX_SHOWN) -> str:
    """Return the text on one line, with control characters, ESC, bidi overrides and the like as `\\x1b`, `\\u202e`."""
    shown = str(text)
    if limit is not None and len(shown) > limit:
        shown = f"{shown[:limit]}… ({len(shown):,} characters)"
    if shown.isprintable():
        return shown
    return "".join(char if char.isprintable() else _escaped(char) for char in shown)


def compact(value: Any) -> str:
    """Return a JSON value on one line for people, shortened if it is long."""
    return visible(json.dumps(value, ensure_ascii=False, sort_keys=True))


def pretty(value: Any) -> list[str]:
    """Return a JSON value as indented lines, complete, for people."""
    return [visible(line, limit=None) for line in json.dumps(value, ensure_ascii=False, indent=2).split("\n")]


def document(value: Any) -> str:
    """Return a JSON document for programs, complete; what would not be seen is written as `\\u….`."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return "".join(char if char.isprintable() or char == "\n" else _json_escaped(char) for char in text)


def short(request_id: str) -> str:
    """Return the ending by which people tell requests apart; the beginnings of UUIDv7 are all alike."""
    return request_id[-8:]


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _json_escaped(char: str) -> str:
    return json.dumps(char)[1:-1]
