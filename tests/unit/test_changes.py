"""Change sets: applied as a JSON Patch (RFC 6902) to what was before, they give what is after."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from governance.domain.changes import Change, ChangeSet, changed_paths, diff, same, touches

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 1.5, -1.0]) | st.text(max_size=2)
KEYS = st.sampled_from(["a", "b", "", "/", "~", "~0", "~1", "a/b", "-", "0", "ü"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


def applied(before: JsonValue, changes: ChangeSet) -> JsonValue:
    """Apply changes one after the other, by the rules of RFC 6902 and by nothing of the product."""
    root: Any = {"": deepcopy(before)}
    for change in changes:
        parts = [part.replace("~1", "/").replace("~0", "~") for part in change.path.split("/")]
        parent: Any = root
        for part in parts[:-1]:
            parent = parent[int(part)] if isinstance(parent, list) else parent[part]
        _apply(parent, parts[-1], change)
    value: JsonValue = root[""]
    return value


def _apply(parent: Any, key: str, change: Change) -> None:
    new = deepcopy(change.new)
    if isinstance(parent, list):
        index = len(parent) if key == "-" else int(key)
        if change.kind != "added":
            assert same(parent[index], change.old)
        match change.kind:
            case "added":
                parent.insert(index, new)
            case "removed":
                del parent[index]
            case "replaced":
                parent[index] = new
        return
    assert (key in parent) is (change.kind != "added")
    if change.kind != "added":
        assert same(parent[key], change.old)
    if change.kind == "removed":
        del parent[key]
    else:
        parent[key] = new


@given(VALUES, VALUES)
def test_changes_lead_from_before_to_after(before: JsonValue, after: JsonValue) -> None:
    assert same(applied(before, diff(before, after)), after)


@given(st.lists(SCALARS, max_size=8), st.lists(SCALARS, max_size=8))
def test_changes_lead_from_list_to_list(before: list[JsonValue], after: list[JsonValue]) -> None:
    assert same(applied({"list": before}, diff({"list": before}, {"list": after})), {"list": after})


@given(VALUES)
def test_what_did_not_change_is_no_change(value: JsonValue) -> None:
    assert diff(value, deepcopy(value)) == ()


@given(VALUES, VALUES)
def test_only_equal_values_have_no_changes(one: JsonValue, other: JsonValue) -> None:
    assert (diff(one, other) == ()) is same(one, other)


@given(VALUES, VALUES)
def test_change_sets_are_the_same_each_time(one: JsonValue, other: JsonValue) -> None:
    assert diff(one, other) == diff(deepcopy(one), deepcopy(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, 1),
        (False, 0),
        (1, 1.0),
        (0, -0.0),
        (None, False),
        ("", None),
        ([], {}),
        ([True], [1]),
        ({"a": 1}, {"a": True}),
    ],
)
def test_values_of_different_types_are_different(one: JsonValue, other: JsonValue) -> None:
    assert not same(one, other)
    assert diff({"x": one}, {"x": other})


def test_changes_are_told_leaf_by_leaf() -> None:
    before: JsonValue = {"kept": 1, "gone": 2, "deep": {"list": [1, 2, 3], "a/b~c": "x"}}
    after: JsonValue = {"kept": 1, "new": 3, "deep": {"list": [1, 9, 3], "a/b~c": "y"}}
    assert diff(before, after) == (
        Change(path="/deep/a~1b~0c", kind="replaced", old="x", new="y"),
        Change(path="/deep/list/1", kind="replaced", old=2, new=9),
        Change(path="/gone", kind="removed", old=2),
        Change(path="/new", kind="added", new=3),
    )


def test_whole_value_has_the_empty_path() -> None:
    assert diff(1, [1]) == (Change(path="", kind="replaced", old=1, new=[1]),)


def test_addition_at_the_end_is_told_by_value_and_in_the_middle_by_place() -> None:
    assert diff([1], [1, 2, 3]) == (Change(path="/-", kind="added", new=2), Change(path="/-", kind="added", new=3))
    assert diff([1, 3], [1, 2, 3]) == (Change(path="/1", kind="added", new=2),)
    assert diff([1, 2, 3, 4], [1, 4]) == (
        Change(path="/2", kind="removed", old=3),
        Change(path="/1", kind="removed", old=2),
    )


def test_paths_are_told_once_each() -> None:
    assert changed_paths(diff([], [1, 2])) == ("/-",)
    assert changed_paths(diff({"b": 1, "a": 1}, {"b": 2, "a": 2})) == ("/a", "/b")


@pytest.mark.parametrize(
    ("path", "area", "overlap"),
    [
        ("/a", "/a", True),
        ("/a/b", "/a", True),
        ("/a", "/a/b", True),
        ("", "/a", True),
        ("/a", "", True),
        ("/ab", "/a", False),
        ("/a", "/ab", False),
        ("/a/b", "/a/c", False),
        ("/a~1b", "/a", False),
    ],
)
def test_area_is_touched_by_what_is_in_it_or_around_it(path: str, area: str, overlap: bool) -> None:
    assert touches([path], [area]) is overlap
    assert touches(["/zzz", path], ["/yyy", area]) is overlap
    assert not touches([], [area])
    assert not touches([path], [])
