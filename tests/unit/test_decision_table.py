from pathlib import Path

from governance.domain.lifecycle import Status
from tests.decision_table import ACTIONS, ACTORS, covered, page, rows, situations

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "decision-table.md"


def test_every_cell_of_the_reference_page_is_what_the_rules_say() -> None:
    assert PAGE.read_text("utf-8").splitlines() == page().splitlines(), (
        "The rules and docs/reference/decision-table.md disagree. If the rules are right, write the page anew: "
        "python -m tests.unit.test_decision_table"
    )


def test_no_cell_is_undefined() -> None:
    cells = [cell for _, _, outcomes in rows() for cell in outcomes]
    assert len(cells) == len(situations()) * len(ACTORS) * len(ACTIONS)
    assert all(cells)


def test_every_status_is_in_the_table() -> None:
    assert covered() == frozenset(Status)


def test_who_stands_behind_a_request_never_decides_on_it() -> None:
    for situation, actor, outcomes in rows():
        if "requester" in actor and situation.startswith("pending"):
            decided = dict(zip(ACTIONS, outcomes, strict=True))
            assert decided["approve"] == decided["reject"] == decided["delegate"] == "*self-approval*"


def test_what_has_ended_is_only_spoken_of() -> None:
    ended = {"rejected", "canceled", "expired", "superseded", "failed", "compensated", "executed"}
    for situation, _, outcomes in rows():
        if situation in ended:
            allowed = {action for action, cell in zip(ACTIONS, outcomes, strict=True) if not cell.startswith("*")}
            assert allowed == {"comment"}


def test_effects_are_for_administrators_and_only_until_they_are_settled() -> None:
    for situation, actor, outcomes in rows():
        cells = dict(zip(ACTIONS, outcomes, strict=True))
        retried, dropped = cells["retry effect"], cells["drop effect"]
        if "effect" not in situation:
            ran = situation in {"executed", "compensated"}
            assert retried == dropped == ("*not-found*" if ran else "*life-cycle*")
        elif "delivered" in situation:
            assert retried == dropped == "*effect-settled*"
        elif actor == "administrator":
            assert (retried, dropped) == ("stays", "*effect-settled*" if "dropped" in situation else "stays")
        else:
            assert retried == "*not-authorized*"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
