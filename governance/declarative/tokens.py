"""The words of an expression: enough of CEL's grammar to bound what it costs and to name what it speaks of."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

MAX_CHARS = 2_000
MAX_TOKENS = 400
MAX_NESTING = 16
MAX_TERNARIES = 16

MACROS = frozenset({"all", "exists", "exists_one", "existsOne", "filter", "map"})
"""What goes through a list, or the keys of a map, with a name for the item: `list.all(x, …)`."""

_STRING = (
    r"""(?:[rR][bB]?|[bB][rR])(?:\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"[^"\n]*"|'[^'\n]*')"""
    r"""|[bB]?(?:\"{3}(?:[^\\]|\\[\s\S])*?\"{3}|'{3}(?:[^\\]|\\[\s\S])*?'{3}|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
)
_TOKEN = re.compile(
    rf"(?P<blank>\s+|//[^\n]*)|(?P<string>{_STRING})"
    r"|(?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?[uU]?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>&&|\|\||[=!<>]=|[-+*/%<>!?:.,()\[\]{}])",
)
_CLOSES = {")": "(", "]": "[", "}": "{"}


class ExpressionError(ValueError):
    """An expression is not one, speaks of what does not exist, or could take too long; `line` is its line, from 1."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Token:
    """A word of an expression; `depth` is how many brackets are open before it, `start` and `end` are characters."""

    kind: Literal["string", "number", "name", "sign"]
    text: str
    start: int
    end: int
    depth: int
    line: int


def tokens_of(source: str) -> tuple[Token, ...]:
    """Return the words of an expression; ExpressionError when it is too long, too deep, or no expression."""
    if len(source) > MAX_CHARS:
        msg = f"it is longer than {MAX_CHARS:,} characters"
        raise ExpressionError(msg)
    tokens = tuple(_tokens(source))
    if not tokens:
        msg = "it is empty"
        raise ExpressionError(msg)
    if len(tokens) > MAX_TOKENS:
        msg = f"it has more than {MAX_TOKENS} words and signs"
        raise ExpressionError(msg)
    if sum(each.text == "?" for each in tokens) > MAX_TERNARIES:
        msg = f"it has more than {MAX_TERNARIES} conditions `? :`"
        raise ExpressionError(msg)
    return tokens


def _tokens(source: str) -> Iterator[Token]:
    at, opened = 0, list[str]()
    while at < len(source):
        line = source.count("\n", 0, at) + 1
        found = _TOKEN.match(source, at)
        if found is None:
            msg = f"{source[at : at + 20]!r} is not part of an expression"
            raise ExpressionError(msg, line)
        at = found.end()
        if found.lastgroup == "blank":
            continue
        text = found[0]
        if text in _CLOSES and (not opened or opened.pop() != _CLOSES[text]):
            msg = f"{text!r} closes nothing"
            raise ExpressionError(msg, line)
        yield Token(found.lastgroup, text, found.start(), at, len(opened), line)  # type: ignore[arg-type]
        if text in _CLOSES.values():
            opened.append(text)
        if len(opened) > MAX_NESTING:
            msg = f"it is nested more than {MAX_NESTING} levels deep"
            raise ExpressionError(msg, line)


def parts_of(source: str) -> tuple[str, ...]:
    """Return what the topmost `&&` or `||` of an expression joins, the expression itself when nothing is joined."""
    tokens = tokens_of(source)
    top = [each for each in tokens if each.depth == 0 and each.kind == "sign"]
    if any(each.text == "?" for each in top):
        return (source.strip(),)
    joints = [each for each in top if each.text == "||"] or [each for each in top if each.text == "&&"]
    bounds = [0, *(edge for each in joints for edge in (each.start, each.end)), len(source)]
    return tuple(source[start:end].strip() for start, end in zip(bounds[::2], bounds[1::2], strict=True))
