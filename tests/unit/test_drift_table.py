"""The tables of the page about drift are what happens. `python -m tests.unit.test_drift_table` writes them."""

import re
from pathlib import Path

import pytest

from tests import PROJECT
from tests.drift_table import tables

PAGE = Path(PROJECT) / "docs" / "explanation" / "drift-and-compensation.md"
TABLE = re.compile(r"<!-- table: (?P<name>\w+) -->\n(?P<table>(?:\|.*\n)*)")


def shown() -> dict[str, str]:
    """Return the tables as the page shows them."""
    return {each["name"]: each["table"].strip() for each in TABLE.finditer(PAGE.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("name", shown())
def test_table_of_the_page_is_what_happens(name: str) -> None:
    assert shown()[name] == tables()[name], "run: python -m tests.unit.test_drift_table"


def test_page_shows_every_table() -> None:
    assert shown().keys() == tables().keys()


if __name__ == "__main__":
    made = tables()
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(TABLE.sub(lambda each: f"<!-- table: {each['name']} -->\n{made[each['name']]}\n", text), "utf-8")
