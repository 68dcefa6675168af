"""Expressions come to a value, or to an error; never to half of one, and never without end."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.declarative.expressions import EvaluationError, Expression
from governance.declarative.names import FUNCTIONS, METHODS, TYPES
from governance.declarative.tokens import ExpressionError, parts_of, tokens_of

NOW = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
STATE = {"admins": ["ada", "bob"], "limits": {"a": 1}, "text": "Hello", "none": None, "big": 2**53 - 1, "half": 0.5}


def value(source: str, state: Any = STATE) -> Any:
    return Expression(source).value({"state": state, "now": NOW, "metadata": {}})


def failing(source: str, state: Any = STATE) -> str:
    with pytest.raises(EvaluationError) as error:
        Expression(source).condition({"state": state, "now": NOW, "metadata": {}})
    return str(error.value)


@pytest.mark.parametrize(
    "source",
    [
        "'ada' in state.admins",
        "state.admins.exists(a, a.startsWith('a')) && state.admins.all(a, a.size() == 3)",
        "state.admins.exists_one(a, a == 'bob') && state.admins.existsOne(a, a == 'bob')",
        "state.admins.filter(a, a != 'ada') == ['bob']",
        "state.admins.map(a, a + '!')[1] == 'bob!'",
        "has(state.text) && !has(state.nothing)",
        "state.none == null && state.limits['a'] == 1 && 'a' in state.limits",
        "state.limits.all(key, key == 'a')",
        "now > timestamp('2026-01-01T00:00:00Z') && now - duration('1h') < now",
        "now.getHours() == 22 && now.getHours('Europe/Berlin') == 0",
        "now.getDayOfWeek() == 3 && now.getDayOfWeek('Europe/Berlin') == 4",
        "now.getDate('Europe/Berlin') == 2 && now.getDayOfMonth('UTC') == 0 && now.getMonth('UTC') == 6",
        "now.getFullYear('UTC') == 2026 && now.getDayOfYear('UTC') == 181 && now.getMinutes('Asia/Kolkata') == 0",
        "state.text.matches('^[A-Z]') && state.text.contains('ell') && state.text.endsWith('o')",
        "state.text.lowerAscii() == 'hello' && 'é'.upperAscii() == 'é' && ' a '.trim() == 'a'",
        "type(state.big) == int && int('4') == 4 && string(4) == '4' && double(4) == 4.0",
        "state.half < 1 && state.big > 1.5",
        "// said in words\n true",
        r"""r'\d' != '''d''' && "a\"b" != 'c' && b'x' == bytes('x')""",
        "state.text == 'x' ? false : true",
        "size([1, 2u, 0x10]) == 3 && size({'a': 1}) == 1",
        "true || state.nothing",
        "dyn(1) != 'a'",
    ],
)
def test_what_the_language_can_say_is_understood(source: str) -> None:
    assert value(source) is True


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("state.nothing == 1", "there is no field 'nothing'"),
        ("state.limits.a.b == 1", "overload"),
        ("state.admins[5] == 'x'", "index out of bounds"),
        ("state.big * 10000 > 0", "overflow"),
        ("1 / 0 == 1", "division by zero"),
        ("state.text > 1", "overload"),
        ("state.text", "a str, not to true or false"),
        ("1", "a int, not to true or false"),
        ("state.none", "null, not to true or false"),
        ("state.none.size() > 0", ""),
        ("now.getHours('Mars/Olympus') == 1", "getHours"),
        ("now.getHours('../../etc/passwd') == 1", "getHours"),
        ("state.text.getHours('UTC') == 1", "not a timestamp"),
        ("state.big.lowerAscii() == ''", "not text"),
        ("timestamp('tomorrow') > now", ""),
        ("state.text.exists(x, true)", "overload"),
    ],
)
def test_what_has_no_value_is_an_error(source: str, told: str) -> None:
    assert told in failing(source)


@pytest.mark.parametrize(
    ("source", "state"),
    [
        ("state.all(a, state.all(b, a == a || b == b))", list(range(3_000))),
        ("state.all(a, '" + "x" * 1500 + "'.contains(a))", ["y" * 500_000] * 1_000),
        ("state.all(a, a.matches('^(a+)+$') || true)", ["a" * 50] * 10_000),
        ("[state].map(x, x+x+x+x+x).map(x, x+x+x+x+x).map(x, x+x+x+x+x).map(x, x+x+x+x+x).size() > 0", "a" * 100_000),
        ("+".join(["state"] * 190) + " != ''", "a" * 500_000),
    ],
)
def test_what_might_take_too_long_is_an_error_at_once(source: str, state: Any) -> None:
    begun = time.monotonic()

    assert "might" in failing(source, state)
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("a && (b || c) && d", ("a", "(b || c)", "d")),
        ("a && b || c && d", ("a && b", "c && d")),
        ("'&&' == a", ("'&&' == a",)),
        ("a ? b && c : d", ("a ? b && c : d",)),
    ],
)
def test_an_expression_is_told_in_parts(source: str, parts: tuple[str, ...]) -> None:
    assert parts_of(source) == parts


@pytest.mark.parametrize("source", ["'open", '"""open', "a b c '", "a ? [b", "`a`", "a @ b", "\x00"])
def test_what_is_no_expression_is_refused(source: str) -> None:
    with pytest.raises(ExpressionError):
        Expression(source)


def test_timestamps_come_out_as_text_and_what_json_lacks_does_not() -> None:
    seen = {"now": NOW}

    assert Expression("{'at': [now]}").json_value(seen) == {"at": [NOW.isoformat()]}
    for source in ("b'x'", "duration('1s')", "{1: 2}"):
        with pytest.raises(EvaluationError, match="JSON"):
            Expression(source).json_value(seen)


def test_an_engine_that_gives_up_is_an_error_and_an_interruption_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        pass

    for raised, expected in ((PanicException("lost"), EvaluationError), (KeyboardInterrupt(), KeyboardInterrupt)):
        expression = Expression("true")
        monkeypatch.setattr(expression, "_program", Mock(execute=Mock(side_effect=raised)))
        with pytest.raises(expected):
            expression.condition({})


NAMES = [
    "state",
    "state.a",
    "state.b",
    "now",
    "metadata",
    "x",
    "1",
    "0",
    "'a'",
    "null",
    "true",
    "1.5",
    "2u",
    "[]",
    "{}",
]
ATOMS = st.sampled_from([*NAMES, "9223372036854775807", "-9223372036854775808", "[1, 'a']", "{'a': 1}", "b'x'"])
OPERATORS = st.sampled_from(["+", "-", "*", "/", "%", "==", "!=", "<", ">=", "&&", "||", "in"])


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    methods, functions = st.sampled_from(sorted(METHODS)), st.sampled_from(sorted(FUNCTIONS | TYPES))
    return st.one_of(
        st.tuples(inner, OPERATORS, inner).map(" ".join),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} ? {t[1]} : {t[2]})"),
        st.tuples(inner, methods, st.lists(inner, max_size=2)).map(lambda t: f"({t[0]}).{t[1]}({', '.join(t[2])})"),
        st.tuples(functions, st.lists(inner, max_size=2)).map(lambda t: f"{t[0]}({', '.join(t[1])})"),
        st.tuples(inner, st.sampled_from(["all", "exists", "map", "filter"]), inner).map(
            lambda t: f"({t[0]}).{t[1]}(x, {t[2]})"
        ),
        st.tuples(inner, inner).map(lambda t: f"({t[0]})[{t[1]}]"),
        inner.map(lambda t: f"!({t})"),
        inner.map(lambda t: f"-({t})"),
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abx"), inner, max_size=3),
)


@given(source=st.recursive(ATOMS, combined, max_leaves=12), state=JSON)
def test_any_expression_comes_to_true_or_false_or_to_an_error(source: str, state: Any) -> None:
    try:
        expression = Expression(source)
    except ExpressionError:
        return
    with suppress(EvaluationError):
        assert expression.condition({"state": state, "now": NOW, "metadata": {}}) in {True, False}


@given(text=st.text(alphabet="abx.()[]{}'\"+-*/<>=!&|?:, 01\\\nrn", max_size=40))
def test_any_text_is_an_expression_or_is_refused(text: str) -> None:
    try:
        Expression(text)
    except ExpressionError:
        return
    assert tokens_of(text)
