"""What expressions may speak of, and whether one keeps to it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from governance.declarative.tokens import MACROS, ExpressionError, Token
from governance.domain.actors import Actor
from governance.domain.changes import Change
from governance.domain.events import CompensationLink
from governance.domain.intent import BlastRadius, Intent

VARIABLES: Mapping[str, str] = {
    "mutation": "what is asked for: `type`, `version`, `payload`, and each field of the payload by its own name",
    "state": "the value of the state as it is now, as JSON",
    "state_id": "the id of the state",
    "state_version": "its version; 0 when it does not exist yet",
    "actor": "who asks: `id`, `person` (who is acted for, else the id), `kind`, `name`, `roles`, `groups`, …",
    "intent": "`category`, `risk`, `tags`, `blast_radius.scope`, `blast_radius.count`, `description`, `metadata`",
    "change_set": "what would change: a list of `path`, `kind`, `old`, `new`",
    "now": "the time of the evaluation, a timestamp",
    "reason": "why, as the requester says",
    "metadata": "what the caller gave with the request",
    "round": "1 for the first evaluation, more after a renewal",
    "compensates": "null, or what is put right: `request_id`, `kind`, `trigger`",
}
"""The variables of every expression, and what they hold."""

FIELDS: Mapping[tuple[str, ...], frozenset[str]] = {
    ("actor",): frozenset({*Actor.model_fields, "person"}),
    ("intent",): frozenset(Intent.model_fields),
    ("intent", "blast_radius"): frozenset(BlastRadius.model_fields),
    ("compensates",): frozenset(CompensationLink.model_fields),
}
"""The fields that can be told before an expression is evaluated."""
CHANGE_FIELDS = frozenset(Change.model_fields)

ZONED = (
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMonth",
    "getMinutes",
)
"""What a timestamp can be asked, in UTC or in a named time zone."""
METHODS = frozenset(
    {
        *MACROS,
        *ZONED,
        *("contains", "endsWith", "matches", "size", "startsWith"),
        *("getMilliseconds", "getSeconds", "lowerAscii", "trim", "upperAscii"),
    },
)
"""What can be called on a value: `value.name(…)`."""
FUNCTIONS = frozenset(
    {"bytes", "double", "duration", "dyn", "has", "int", "size", "string", "timestamp", "type", "uint"}
)
"""What can be called by itself: `name(…)`."""
TYPES = frozenset({"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"})
LITERALS = frozenset({"true", "false", "null", "in"})
MAX_PATTERN_CHARS = 200


@dataclass(frozen=True)
class Shape:
    """What is known of an expression without evaluating it."""

    variables: frozenset[str]
    comprehensions: int
    comprehension_depth: int
    additions: int
    matches: int
    size: int


def shape_of(tokens: Sequence[Token]) -> Shape:
    """Return what an expression speaks of and how it is built; ExpressionError for what does not exist."""
    return _Reading(tokens).shape()


class _Reading:
    """Goes through an expression once, with the names that comprehensions bind while they last."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._bound: list[tuple[str, int]] = []
        self._deepest = 0
        self._variables: set[str] = set()

    def shape(self) -> Shape:
        for index, token in enumerate(self._tokens):
            while self._bound and token.depth < self._bound[-1][1]:
                self._bound.pop()
            if token.kind == "name" and token.text not in LITERALS:
                self._name(index, token)
        return Shape(
            variables=frozenset(self._variables),
            comprehensions=sum(1 for _ in self._macros()),
            comprehension_depth=self._deepest,
            additions=sum(each.text == "+" for each in self._tokens),
            matches=sum(each.text == "matches" for each in self._tokens),
            size=len(self._tokens),
        )

    def _macros(self) -> Iterator[Token]:
        pairs = zip(self._tokens, self._tokens[1:], strict=False)
        return (after for before, after in pairs if before.text == "." and after.text in MACROS)

    def _name(self, index: int, token: Token) -> None:
        before, after = self._text(index - 1), self._text(index + 1)
        if after == "{":
            _refuse(token, f"{token.text}{{…}} makes a message, of which there are none")
        if before == ".":
            if not self._is_value(index - 2):
                _refuse(token, f"'.{token.text}' follows nothing")
            if after == "(":
                self._method(index, token)
        elif after == "(":
            _known(token, FUNCTIONS, "function")
        elif (before, after) == ("(", ",") and self._text(index - 2) in MACROS and self._text(index - 3) == ".":
            self._bound.append((token.text, token.depth))
            self._deepest = max(self._deepest, len(self._bound))
        else:
            self._variable(index, token)

    def _variable(self, index: int, token: Token) -> None:
        if any(name == token.text for name, _ in self._bound) or token.text in TYPES:
            return
        _known(token, VARIABLES, "variable")
        self._variables.add(token.text)
        path: tuple[str, ...] = (token.text,)
        while path in FIELDS and self._text(index + 1) == "." and self._text(index + 3) != "(":
            index += 2
            _known(self._tokens[index], FIELDS[path], f"field of {'.'.join(path)}")
            path = (*path, self._tokens[index].text)

    def _method(self, index: int, token: Token) -> None:
        _known(token, METHODS, "function")
        if token.text != "matches":
            return
        pattern = self._tokens[index + 2] if index + 2 < len(self._tokens) else token
        if pattern.kind != "string" or self._text(index + 3) != ")":
            _refuse(token, "matches(…) takes a pattern in quotes, so that nobody else can choose it")
        if len(pattern.text) > MAX_PATTERN_CHARS:
            _refuse(token, f"the pattern is longer than {MAX_PATTERN_CHARS} characters")

    def _is_value(self, index: int) -> bool:
        return index >= 0 and (self._tokens[index].kind != "sign" or self._tokens[index].text in {")", "]", "}"})

    def _text(self, index: int) -> str:
        return self._tokens[index].text if 0 <= index < len(self._tokens) else ""


def _known(token: Token, known: Mapping[str, str] | frozenset[str], what: str) -> None:
    if token.text in known:
        return
    close = get_close_matches(token.text, sorted(known), n=1)
    hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(sorted(known))}"
    _refuse(token, f"there is no {what} {token.text!r}{hint}")


def _refuse(token: Token, what: str) -> None:
    raise ExpressionError(what, token.line)
