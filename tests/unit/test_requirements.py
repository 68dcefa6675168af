"""Approval requirements: what can be asked for, and what nobody could ever fill."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from governance import Actor, ConfigurationError, InputError, approval, group, role
from governance.domain.requirements import Approver
from tests.cases import GRACE, HOUR, START, submitted

NAIVE = datetime(2030, 1, 1)
UNFILLABLE: dict[str, dict[str, Any]] = {
    "nobody": {},
    "empty lists": {"role": [], "group": (), "any_of": []},
    "no one": {"role": "lead", "quorum": 0},
    "fewer than none": {"role": "lead", "quorum": -1},
    "more than named": {"actor": ["a", "b"], "quorum": 3},
    "more than named, one twice": {"actor": ["a", "a", "b"], "quorum": 3},
    "more than named, by two ways": {"actor": "a", "any_of": ["a"], "quorum": 2},
    "step zero": {"role": "lead", "step": 0},
    "duration of nothing": {"role": "lead", "expires_after": timedelta()},
    "duration back in time": {"role": "lead", "expires_after": -HOUR},
    "two deadlines": {"role": "lead", "expires_after": HOUR, "expires_at": START},
}

WRONG: dict[str, dict[str, Any]] = {
    "empty role": {"role": ""},
    "blank role": {"role": " "},
    "empty in a list": {"role": ["lead", ""]},
    "NUL": {"group": "a\0"},
    "surrogate": {"actor": "\ud800"},
    "long": {"actor": "x" * 201},
    "number as role": {"role": 5},
    "numbers as roles": {"role": [5]},
    "number as name": {"role": "lead", "name": 1},
    "empty name": {"role": "lead", "name": ""},
    "NUL in the name": {"role": "lead", "name": "\0"},
    "surrogate in the name": {"role": "lead", "name": "a\udfff"},
    "nothing as any_of": {"any_of": None},
    "numbers as any_of": {"any_of": [1]},
    "text as quorum": {"role": "lead", "quorum": "2"},
    "true as quorum": {"role": "lead", "quorum": True},
    "fraction as quorum": {"role": "lead", "quorum": 1.5},
    "huge quorum": {"role": "lead", "quorum": 2**53},
    "huge step": {"role": "lead", "step": 10**30},
    "text as veto": {"role": "lead", "veto": "yes"},
    "naive deadline": {"role": "lead", "expires_at": NAIVE},
    "text as deadline": {"role": "lead", "expires_at": "2030-01-01T00:00:00Z"},
    "number as duration": {"role": "lead", "expires_after": 5},
    "duration beyond the calendar": {"role": "lead", "expires_after": timedelta.max},
    "deadline beyond the calendar": {
        "role": "lead",
        "expires_at": datetime.max.replace(tzinfo=timezone(-12 * HOUR)),
    },
}


@pytest.mark.parametrize("case", UNFILLABLE)
def test_what_nobody_can_fill_is_a_configuration_error(case: str) -> None:
    with pytest.raises(ConfigurationError):
        approval(**UNFILLABLE[case])


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_requirement_is_refused_before_anything_is_stored(case: str) -> None:
    with pytest.raises((InputError, ConfigurationError)) as caught:
        submitted(approval(**WRONG[case]))
    if isinstance(caught.value, InputError):
        assert caught.value.ids["field"].startswith("approval")


def test_people_who_may_not_decide_do_not_fill_a_quorum() -> None:
    with pytest.raises(ConfigurationError, match="stand behind the request"):
        submitted(approval(actor="grace"))
    with pytest.raises(ConfigurationError, match="stand behind the request"):
        submitted(approval(actor=["grace", "alan"], quorum=2))
    with pytest.raises(ConfigurationError, match="stand behind the request"):
        submitted(approval(actor=["grace", "alan"]), requester=Actor(id="grace", on_behalf_of="alan"))
    submitted(approval(actor=["grace", "alan"]))
    submitted(approval(any_of=["grace", role("lead")]), requester=GRACE)


def test_ways_to_name_people_are_the_same() -> None:
    several = approval(actor=["a", "b"], role="r", group=["g"])
    mixed = approval(any_of=["a", Approver(kind="actor", id="b"), role("r"), group("g"), "a"])
    assert several == mixed
    assert several.named is None
    assert approval(actor=["b", "a"]).named == frozenset({"a", "b"})


def test_same_demand_is_recognised_whatever_its_name_and_deadline() -> None:
    base = approval(actor=["a", "b"], quorum=2)
    assert base.demands() == approval(actor=["b", "a"], quorum=2, name="x", expires_after=HOUR).demands()
    others = [
        approval(actor=["a", "b"]),
        approval(actor=["a", "b", "c"], quorum=2),
        approval(actor=["a", "b"], quorum=2, step=2),
        approval(actor=["a", "b"], quorum=2, veto=False),
        approval(role=["a", "b"], quorum=2),
        approval(any_of=["a", role("b")], quorum=2),
    ]
    assert base.demands() not in [each.demands() for each in others]
    assert len({each.demands() for each in others}) == len(others)


def test_demands_of_oddly_named_people_are_told_apart() -> None:
    assert approval(actor=["a", "b"]).demands() != approval(actor="a', 'actor b").demands()
    assert approval(actor=["x", "role y"]).demands() != approval(any_of=["x", role("y")]).demands()
