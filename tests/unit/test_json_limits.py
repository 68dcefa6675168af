"""What JSON is taken in, and what is refused with the place where it is wrong."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from governance import InputError
from governance.domain.digest import digest
from governance.domain.json_limits import MAX_DEPTH, MAX_NODES, check_json, dump, input_error, parse_json
from governance.domain.values import clean, storable_text
from tests.cases import unchecked

LARGEST = 2**53 - 1


def nested(depth: int, leaf: Any = 0) -> Any:
    """Return lists in lists, so many levels deep, the leaf included."""
    value = leaf
    for _ in range(depth - 1):
        value = [value]
    return value


FINE: dict[str, Any] = {
    "nothing": None,
    "bounds": [LARGEST, -LARGEST, 0, -0.0, 1e308, 5e-324, 0.1],
    "text": ["", "\x01\x1f\x7f", "\u2028\u2029", "\u202eRTL", "👩‍👩‍👧", "\uffff", "\U0010ffff", "a\nb\tc\\\"'"],
    "keys": {"": 1, "_type_": "uuid_hex", "_data_": "x", "__class__": 1, "$ref": "#", "a.b/c~d": 1},
    "depth": nested(MAX_DEPTH),
    "nodes": [0] * (MAX_NODES - 1),
}

BAD: dict[str, tuple[Any, str]] = {
    "nan": ([{"a": float("nan")}], "x.0.a"),
    "infinity": ({"a": float("inf")}, "x.a"),
    "minus infinity": ({"a": float("-inf")}, "x.a"),
    "large": ({"a": LARGEST + 1}, "x.a"),
    "small": ([0, -LARGEST - 1], "x.1"),
    "huge": ([10**5000], "x.0"),
    "NUL": ({"a": ["\0"]}, "x.a.0"),
    "NUL in a key": ({"\0": 1}, "x"),
    "surrogate": (["\ud800"], "x.0"),
    "surrogate in a key": ({"\udfff": 1}, "x"),
    "two surrogates that are no pair": (["\udc00\ud800"], "x.0"),
    "number as key": ({1: "a"}, "x"),
    "none as key": ({"a": {None: "a"}}, "x.a"),
    "bytes": ([b"x"], "x.0"),
    "set": ({"a": {1}}, "x.a"),
    "object": ([object()], "x.0"),
    "complex": ([1j], "x.0"),
    "depth": (nested(MAX_DEPTH + 1), "x" + ".0" * MAX_DEPTH),
    "deep": (nested(100_000), "x" + ".0" * MAX_DEPTH),
    "nodes": ([0] * MAX_NODES, "x"),
    "bytes limit": ("x" * 999, "x"),
}


@pytest.mark.parametrize("case", FINE)
def test_json_that_is_fine_passes_and_has_a_digest(case: str) -> None:
    check_json(FINE[case], field="x", max_bytes=1_000_000)
    assert digest(FINE[case]).startswith("sha256:")
    assert json.loads(json.dumps(FINE[case])) == FINE[case]


@pytest.mark.parametrize("case", BAD)
def test_json_that_is_not_fine_is_refused_with_its_place(case: str) -> None:
    value, field = BAD[case]
    with pytest.raises(InputError) as caught:
        check_json(value, field="x", max_bytes=1_000 if case == "bytes limit" else 1_000_000)
    assert caught.value.ids["field"] == field


def test_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(InputError, match="levels deep"):
        check_json(loop, field="x", max_bytes=1_000)


@pytest.mark.parametrize("text", ["é", "x", "\\"])
def test_size_is_counted_in_bytes_of_text(text: str) -> None:
    size = len(json.dumps(text, ensure_ascii=False).encode())
    check_json(text, field="x", max_bytes=size)
    with pytest.raises(InputError, match=f"limit of {size - 1}"):
        check_json(text, field="x", max_bytes=size - 1)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
NUMBERS = st.integers(-LARGEST, LARGEST) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_what_passes_comes_back_from_text_as_it_was(value: Any) -> None:
    check_json(value, field="x", max_bytes=10_000_000)
    assert parse_json(json.dumps(value), field="x") == value
    digest(value)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "x"),
        ("{", "x"),
        ("nul", "x"),
        ("{'a': 1}", "x"),
        ('{"a": 1} 2', "x"),
        ("NaN", "x"),
        ('{"a": Infinity}', "x"),
        ("[-Infinity]", "x"),
        ('{"a": 1, "a": 1}', "x.a"),
        ('{"a": {"b": 1, "b": 2}}', "x.b"),
        ("[" * 100_000, "x"),
        ("1" * 5_000, "x"),
        ("\ufeff{}", "x"),
    ],
)
def test_text_that_is_no_json_is_refused(text: str, field: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_json(text, field="x")
    assert caught.value.ids["field"] == field


def test_number_beyond_all_floats_does_not_pass() -> None:
    with pytest.raises(InputError):
        check_json(parse_json("[1e999]", field="x"), field="x", max_bytes=100)


class Plain(BaseModel):
    number: int = 0
    data: bytes = b""


def test_first_wrong_field_is_named() -> None:
    with pytest.raises(ValidationError) as caught:
        Plain.model_validate({"number": {"a": 1}})
    assert input_error(caught.value, "mutation").ids == {"field": "mutation.number"}
    assert input_error(caught.value).ids == {"field": "number"}


@pytest.mark.parametrize("model", [Plain(data=b"\xff"), unchecked(Plain, number=object())])
def test_model_that_is_no_json_is_refused(model: Plain) -> None:
    with pytest.raises(InputError) as caught:
        dump(model, field="state")
    assert caught.value.ids == {"field": "state"}


@given(st.text(st.characters(), max_size=50))
def test_cleaned_text_can_be_stored(text: str) -> None:
    assert storable_text(clean(text)) == clean(text)
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize("text", ["x" * 10_000, "x" * 10_001, "\0" * 10_001, "\ud800" * 20_000])
def test_cleaned_text_is_not_too_long(text: str) -> None:
    assert len(clean(text)) <= 10_000
    assert (clean(text) == text) is (len(text) == 10_000)
