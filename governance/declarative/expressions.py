"""Conditions and values in CEL, the Common Expression Language: compiled when read, and bounded in what they cost.

The engine runs an expression in one go, holding the interpreter: no timeout can end it. So what it may cost is worked
out before, from the expression and from the size of what it looks at, and an expression that may cost more is an error.
"""

import logging
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from governance.declarative.names import ZONED, shape_of
from governance.declarative.tokens import ExpressionError, parts_of, tokens_of
from governance.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from types import ModuleType

MAX_COMPREHENSIONS = 8
MAX_COMPREHENSION_DEPTH = 2
MAX_STEPS = 20_000_000
"""The most that one evaluation may take; about a tenth of a microsecond each."""
MAX_GROWN = 64 * 1024 * 1024
"""The most characters and values that one evaluation may make of what it is given."""
STEPS_OF_A_PATTERN = 2_000
CHARS_A_STEP = 1_024
NO_CEL = "policies in files need the package common-expression-language: install mutation-governance[policies]"

# What goes wrong in a function is told by the evaluation's error; the engine would also print it.
logging.getLogger("cel").addHandler(logging.NullHandler())


class EvaluationError(Exception):
    """An expression has no value: something is missing, of the wrong kind, or too much."""


class Expression:
    """One CEL expression; `source` is its text."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._tokens = tokens_of(source)
        self._shape = shape_of(self._tokens)
        if self._shape.comprehensions > MAX_COMPREHENSIONS:
            msg = f"it goes through lists more than {MAX_COMPREHENSIONS} times"
            raise ExpressionError(msg)
        if self._shape.comprehension_depth > MAX_COMPREHENSION_DEPTH:
            msg = f"it goes through lists within lists more than {MAX_COMPREHENSION_DEPTH} levels deep"
            raise ExpressionError(msg)
        self._engine = _engine()
        self._program = self._compiled()
        self._extras = {each.text: _EXTRAS[each.text] for each in self._tokens if each.text in _EXTRAS}
        self._check_patterns()

    @property
    def variables(self) -> frozenset[str]:
        """Return the variables that it looks at."""
        return self._shape.variables

    @cached_property
    def parts(self) -> tuple["Expression", ...]:
        """Return what its topmost `&&` or `||` joins, nothing when it joins nothing."""
        parts = parts_of(self.source)
        return tuple(map(Expression, parts)) if len(parts) > 1 else ()

    def value(self, variables: Mapping[str, Any]) -> Any:
        """Return what it comes to; EvaluationError when it comes to nothing or might cost too much."""
        seen = {name: variables[name] for name in self._shape.variables}
        self._check_cost(seen)
        try:
            return self._program.execute(self._engine.Context(seen, self._extras))
        except Exception as error:
            raise EvaluationError(_told(error)) from error
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # how the engine's language says that it gave up
                raise
            raise EvaluationError(_told(error)) from error

    def condition(self, variables: Mapping[str, Any]) -> bool:
        """Return whether it holds; EvaluationError also when it comes to anything but true or false."""
        value = self.value(variables)
        if not isinstance(value, bool):
            msg = f"it comes to {_kind(value)}, not to true or false"
            raise EvaluationError(msg)
        return value

    def json_value(self, variables: Mapping[str, Any]) -> JsonValue:
        """Return what it comes to as JSON, a timestamp as ISO 8601 text; EvaluationError when that cannot be."""
        return _json(self.value(variables))

    def _compiled(self) -> Any:
        try:
            return self._engine.compile(self.source)
        except ValueError as error:
            raise _syntax_error(str(error)) from None

    def _check_patterns(self) -> None:
        for before, opens, pattern in zip(self._tokens, self._tokens[1:], self._tokens[2:], strict=False):
            if (before.text, opens.text) == ("matches", "("):
                try:
                    self._engine.evaluate(f"''.matches({pattern.text})")
                except Exception as error:
                    msg = f"{pattern.text[:80]} is not a pattern: {_told(error)}"
                    raise ExpressionError(msg, before.line) from None

    def _check_cost(self, seen: Mapping[str, Any]) -> None:
        shape = self._shape
        if not shape.additions and not shape.comprehension_depth:
            return
        sizes = _Sizes()
        for each in (*seen.values(), self.source):
            sizes.count(each)
        # With so many additions spread over so many turns, this is the most that they can make of a value.
        turns = shape.comprehensions + 1
        growth = (1 + shape.additions / turns) ** turns
        if sizes.total * growth > MAX_GROWN:
            msg = f"it might make more than {MAX_GROWN:,} characters of what it looks at"
            raise EvaluationError(msg)
        each = shape.size + STEPS_OF_A_PATTERN * shape.matches + sizes.text * growth / CHARS_A_STEP
        rounds = (max(sizes.items, shape.size) * growth) ** shape.comprehension_depth
        if shape.comprehension_depth and each * rounds * shape.comprehensions > MAX_STEPS:
            msg = f"it might take more than {MAX_STEPS:,} steps on what it looks at"
            raise EvaluationError(msg)


class _Sizes:
    """How large values are: all in all, the longest list or map, and the longest text."""

    def __init__(self) -> None:
        self.total = self.items = self.text = 0

    def count(self, value: Any) -> None:
        self.total += 1
        if isinstance(value, str):
            self.total += len(value)
            self.text = max(self.text, len(value))
        elif isinstance(value, dict | list | tuple):
            self.items = max(self.items, len(value))
            for each in (*value, *value.values()) if isinstance(value, dict) else value:
                self.count(each)


def _engine() -> "ModuleType":
    try:
        return import_module("cel")
    except ModuleNotFoundError:
        raise ConfigurationError(NO_CEL) from None


def _syntax_error(text: str) -> ExpressionError:
    found = re.search(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.*?)(?: expecting \{|$)", text, re.MULTILINE)
    if found is None:
        return ExpressionError(f"it is not CEL: {text[:200]}")
    return ExpressionError(f"it is not CEL: {found[3]} (character {found[2]})", int(found[1]))


def _told(error: BaseException) -> str:
    text = str(error).split("\n", maxsplit=1)[0]
    match error:
        case KeyError():
            return f"there is no field {text}"
        case IndexError():
            return text
        case _:
            return text.partition(" CEL does not")[0].partition(" Check ")[0][:500] or type(error).__name__


def _kind(value: object) -> str:
    return "null" if value is None else f"a {type(value).__name__}"


def _json(value: Any) -> JsonValue:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return value.isoformat()
        case list():
            return [_json(each) for each in value]
        case dict() if all(isinstance(key, str) for key in value):
            return {key: _json(each) for key, each in value.items()}
        case _:
            msg = f"it comes to {_kind(value)}, which JSON does not have"
            raise EvaluationError(msg)


def _text(function: Callable[[str], str]) -> Callable[[object], str]:
    def call(value: object) -> str:
        if not isinstance(value, str):
            msg = f"it is {_kind(value)}, not text"
            raise TypeError(msg)
        return function(value)

    return call


def _zoned(read: Callable[[datetime], int]) -> Callable[..., int]:
    def call(moment: object, zone: str = "UTC") -> int:
        if not isinstance(moment, datetime):
            msg = f"it is {_kind(moment)}, not a timestamp"
            raise TypeError(msg)
        return read(moment.astimezone(ZoneInfo(zone)))

    return call


def _ascii(text: str, change: Callable[[str], str]) -> str:
    return "".join(change(each) if each.isascii() else each for each in text)


_OF_A_TIME: dict[str, Callable[[datetime], int]] = {
    "getDate": lambda moment: moment.day,
    "getDayOfMonth": lambda moment: moment.day - 1,
    "getDayOfWeek": lambda moment: moment.isoweekday() % 7,
    "getDayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
    "getFullYear": lambda moment: moment.year,
    "getHours": lambda moment: moment.hour,
    "getMinutes": lambda moment: moment.minute,
    "getMonth": lambda moment: moment.month - 1,
}
_EXTRAS: dict[str, Callable[..., Any]] = {
    "lowerAscii": _text(lambda text: _ascii(text, str.lower)),
    "upperAscii": _text(lambda text: _ascii(text, str.upper)),
    "trim": _text(str.strip),
    **{name: _zoned(_OF_A_TIME[name]) for name in ZONED},
}
"""What the engine lacks of the standard library: methods of texts, and time zones."""
