"""The way back that a mutation declares: what is told of it, when it ends, and that a requester only shortens it."""

from datetime import timedelta

import pytest

from governance import InputError, Intent, Reversibility, irreversible, reversible
from governance.domain.intent import refine
from governance.domain.reversibility import MAX_WITHIN
from tests.cases import HOUR, START

DAY = 24 * HOUR
AT = START.isoformat()

TOLD = [
    (reversible(), None, "reversible at any time"),
    (
        reversible(within=DAY, then="call the bank"),
        None,
        "reversible within 1 day of its execution; then needs work by hand: call the bank",
    ),
    (reversible(within=DAY), START - DAY, f"reversible until {AT}; then needs work by hand"),
    (reversible(until=START), None, f"reversible until {AT}; then needs work by hand"),
    (reversible(until=START, within=9 * DAY), START - DAY, f"reversible until {AT}; then needs work by hand"),
    (
        reversible(until=START, within=HOUR * 25),
        None,
        f"reversible within 1 day 1 hour of its execution and until {AT}; then needs work by hand",
    ),
    (irreversible("restore the backup"), None, "not reversible; needs work by hand: restore the backup"),
    (irreversible(), START, "not reversible; needs work by hand"),
]


@pytest.mark.parametrize(("declared", "executed_at", "text"), TOLD)
def test_way_back_is_told_in_a_sentence(declared: Reversibility, executed_at: object, text: str) -> None:
    assert declared.text(executed_at) == text  # type: ignore[arg-type]


def test_way_back_ends_at_the_earlier_time() -> None:
    both = reversible(within=DAY, until=START + HOUR)
    assert both.deadline(None) == START + HOUR
    assert both.deadline(START) == START + HOUR
    assert both.deadline(START - DAY) == START
    assert reversible().deadline(START) is None


SHORTER = [
    (None, None, None),
    (reversible(within=DAY), None, reversible(within=DAY)),
    (None, reversible(within=DAY), reversible(within=DAY)),
    (reversible(within=DAY), reversible(within=2 * DAY, then="x"), reversible(within=DAY, then="x")),
    (reversible(within=DAY), reversible(until=START), reversible(within=DAY, until=START)),
    (reversible(within=DAY, then="x"), irreversible(), irreversible("x")),
    (irreversible("x"), reversible(), irreversible("x")),
]


@pytest.mark.parametrize(("declared", "given", "together"), SHORTER)
def test_requester_makes_the_way_back_shorter_never_longer(
    declared: Reversibility | None, given: Reversibility | None, together: Reversibility | None
) -> None:
    assert refine(Intent(reversibility=declared), Intent(reversibility=given)).reversibility == together


@pytest.mark.parametrize(
    "nonsense",
    [
        {"within": timedelta()},
        {"within": -HOUR},
        {"within": MAX_WITHIN + HOUR},
        {"until": START.replace(tzinfo=None)},
        {"by_hand": "a\x00b"},
        {"possible": False, "within": HOUR},
        {"possible": 1},
    ],
)
def test_nonsense_is_refused(nonsense: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Reversibility(**nonsense)  # type: ignore[arg-type]
