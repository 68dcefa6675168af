"""Masking: fields that are not to leave, by name or by place, replaced in the JSON of an event."""

import json
from collections.abc import Sequence
from typing import Any, Final

from governance.domain.errors import InputError

MASKED: Final = "[masked]"


class Mask:
    """Rules for what is masked.

    `comment` is every field of that name; `/data/mutation/payload/*` is a place, a JSON Pointer in which `*` stands for
    any one name or place in a list.
    """

    def __init__(self, rules: Sequence[str] = ()) -> None:
        """Raises InputError for a rule that could match nothing."""
        self.rules = tuple(rules)
        self._names = frozenset(each for each in rules if not each.startswith("/"))
        self._places = tuple(tuple(map(_part, each[1:].split("/"))) for each in rules if each.startswith("/"))
        if any(not each or each == "/" for each in rules):
            msg = "mask: a rule is the name of a field, or a place such as /data/comment"
            raise InputError(msg, field="mask")

    def applied(self, state: bytes) -> bytes | None:
        """Return the masked form of an event, None when no rule concerns it; what is not JSON is masked as a whole."""
        if not self.rules:
            return None
        try:
            document = json.loads(state)
        except ValueError:
            return json.dumps(MASKED).encode()
        masked = self._masked(document, self._places)
        if masked == document:
            return None
        return json.dumps(masked, ensure_ascii=False, separators=(",", ":")).encode()

    def _masked(self, value: Any, places: tuple[tuple[str, ...], ...]) -> Any:
        if isinstance(value, dict):
            return {key: self._below(key, each, places) for key, each in value.items()}
        if isinstance(value, list):
            return [self._below(str(at), each, places, named=False) for at, each in enumerate(value)]
        return value

    def _below(self, key: str, value: Any, places: tuple[tuple[str, ...], ...], *, named: bool = True) -> Any:
        here = tuple(place[1:] for place in places if place[0] in {"*", key})
        if (named and key in self._names) or () in here:
            return None if value is None else MASKED
        return self._masked(value, here)


def _part(text: str) -> str:
    return text.replace("~1", "/").replace("~0", "~")
