"""JSON inside recorded facts: reads like any other, and cannot be changed in place by any means."""

import json
import pickle
from collections.abc import Callable
from copy import copy, deepcopy
from typing import Any

import pytest

from governance.domain.frozen_json import FrozenDict, FrozenList, frozen

GIVEN = {"a": [1, {"b": [True, None]}], "c": {"d": "text"}}


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.update(a=1),
        lambda value: value.__setitem__("a", 1),
        lambda value: value.pop("a"),
        lambda value: value.popitem(),
        lambda value: value.clear(),
        lambda value: value.setdefault("z", 1),
        lambda value: value.__delitem__("a"),
        lambda value: value.__ior__({"z": 1}),
        lambda value: value["a"].append(1),
        lambda value: value["a"].extend([1]),
        lambda value: value["a"].insert(0, 1),
        lambda value: value["a"].__setitem__(0, 2),
        lambda value: value["a"].__delitem__(0),
        lambda value: value["a"].__iadd__([1]),
        lambda value: value["a"].__imul__(2),
        lambda value: value["a"].sort(),
        lambda value: value["a"].reverse(),
        lambda value: value["a"].remove(1),
        lambda value: value["a"].pop(),
        lambda value: value["a"].clear(),
        lambda value: value["a"][1]["b"].append(1),
        lambda value: value["c"].update(d="other"),
    ],
)
def test_no_way_to_change_it(change: Callable[[Any], object]) -> None:
    value = frozen(GIVEN)
    with pytest.raises(TypeError, match="cannot be changed"):
        change(value)
    assert value == GIVEN


def test_it_is_equal_to_what_it_was_made_of_and_written_alike() -> None:
    value = frozen(GIVEN)
    assert value == GIVEN
    assert json.dumps(value) == json.dumps(GIVEN)
    assert frozen(value) is value
    assert frozen("text") == "text"


def test_it_shares_nothing_with_what_it_was_made_of() -> None:
    given = deepcopy(GIVEN)
    value = frozen(given)
    given["c"]["d"] = "other"  # type: ignore[index]
    assert value == GIVEN


@pytest.mark.parametrize("copied", [copy, deepcopy, lambda value: pickle.loads(pickle.dumps(value))])  # noqa: S301
def test_copies_are_as_immutable(copied: Callable[[Any], Any]) -> None:
    value = copied(frozen(GIVEN))
    assert value == GIVEN
    assert isinstance(value, FrozenDict)
    assert isinstance(value["a"], FrozenList)


def test_a_plain_copy_can_be_changed() -> None:
    value = dict(frozen(GIVEN))
    value["z"] = 1
    assert "z" not in frozen(GIVEN)
