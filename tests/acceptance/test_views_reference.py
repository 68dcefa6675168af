"""The reference of the views says what their tables are."""

import pytest

from governance import ConfigurationError
from projections import VIEWS, Projections, View, ViewTable
from projections.reference import reference
from tests import PROJECT


def test_the_reference_is_what_the_tables_say() -> None:
    written = (PROJECT / "docs" / "reference" / "views.md").read_text(encoding="utf-8")

    assert written == reference(), "run: python -m projections.reference > docs/reference/views.md"


def test_every_column_of_every_view_is_in_it() -> None:
    told = reference()

    for view in VIEWS:
        assert f"## `{view.name}`" in told
        assert all(f"| `{name}` |" in told for table in view.tables for name in table.column_names())


def test_views_that_cannot_stand_side_by_side_are_refused(sqlite_url: str) -> None:
    def named(name: str, table: str) -> type[View[None]]:
        return type("Own", (View,), {"name": name, "tables": (ViewTable(table, (), key=()),)})

    for name, table in (("requests", "own"), ("own", "requests"), ("Own Name", "own"), ("own", "o" * 41)):
        with pytest.raises(ConfigurationError):
            Projections.open(sqlite_url, views=(*VIEWS, named(name, table)))
