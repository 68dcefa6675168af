"""What rows about a request say of it, whatever else they are for: state, mutation, requester, category and risk."""

from typing import Any, Final

from pydantic import TypeAdapter
from pydantic_core import to_json
from sqlalchemy import Column

from governance.domain.reversibility import Reversibility
from projections.facts import Amended, Created
from projections.filters import Plain
from projections.tables import KEY, Moment, Ranked, stored_moment
from projections.view import Row
from projections.vocabulary import RISKS

_REVERSIBILITY: Final[TypeAdapter[Reversibility]] = TypeAdapter(Reversibility)
FIELDS: Final[dict[str, Plain]] = {
    **{
        name: Plain(name)
        for name in ("request_id", "state_id", "state_type", "mutation_type", "requester", "on_behalf_of", "category")
    },
    "risk": Plain("risk", ranked=RISKS),
    "created_at": Plain("created_at", "moment"),
}
UNKNOWN: Final[Row] = (None,) * 8


def columns() -> tuple[Column[Any], ...]:
    """Return the columns; all are empty for a request whose first event could not be read."""
    return (
        Column("state_id", KEY),
        Column("state_type", KEY),
        Column("mutation_type", KEY),
        Column("requester", KEY),
        Column("on_behalf_of", KEY),
        Column("category", KEY),
        Column("risk", Ranked(RISKS)),
        Column("created_at", Moment),
    )


def about(created: Created, at: str) -> Row:
    """Return their values for the request that was created so, at that time."""
    intent, requester = created.intent, created.requester
    return (
        created.state_id,
        created.state_type,
        created.mutation.type,
        requester.id,
        requester.on_behalf_of,
        intent.category,
        RISKS.index(intent.risk) if intent.risk else None,
        stored_moment(at),
    )


def way_back(created: Created) -> str | None:
    """Return until when and how it can be put right, as its mutation declares; None when that says nothing."""
    declared = created.intent.reversibility
    return None if declared is None else _REVERSIBILITY.validate_json(to_json(declared), strict=True).text()


def amended(known: Row, event: Amended) -> Row:
    """Return the values after policies put another mutation in place of the one asked for."""
    return (*known[:2], event.mutation.type, *known[3:])
