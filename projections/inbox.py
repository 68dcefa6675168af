"""The inbox: what one person can decide on now, found through the index of who is entitled to what."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    FromClause,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    func,
    literal,
    not_,
    or_,
    select,
    union,
)
from sqlalchemy.sql.elements import ColumnElement

from governance.domain.actors import Actor
from projections.conditions import can_be
from projections.database import Database
from projections.paging import Page, check_limit, read_cursor
from projections.reading import Found, Reader, named
from projections.writing import among

MOST_BRANCHES: Final = 60
"""An actor with more roles and groups than this is looked for in one branch for each kind of entitlement."""
KINDS: Final = ("actor", "delegate", "role", "group")


def inbox(
    database: Database, reader: Reader, actor: Actor, limit: int, after: str | None, now: datetime
) -> Page[Found]:
    """Return the page of open requirements on which the actor may decide, oldest first.

    Each entitlement is one walk along an index, which ends after one page, so that the time depends neither on how
    many requirements there are nor on which page it is.
    """
    rows = check_limit(limit) + 1
    sort = reader.sort("opened")
    scope = f"inbox\n{actor.model_dump_json()}"
    with database.read() as connection:
        generation = reader.generation(connection)
        tables = reader.tables(generation)
        main = tables["approvals"]
        beyond = read_cursor(scope, after, sort, main)[0] if after is not None else 0
        values: dict[str, Any] = {"people": sorted(actor.people), "beyond": beyond, "now": now, "rows": rows}
        of_view = (main, tables["approvals_entitled"], tables["approvals_votes"])
        found = named(connection.execute(_query(database, of_view, actor, values), values))
    return reader.cut(found, limit, sort, scope, generation.position)


Tables = tuple[Table, Table, Table]
"""The approvals, who is entitled to them, and who has decided on them."""


def _query(database: Database, tables: Tables, actor: Actor, values: dict[str, Any]) -> Select[Any]:
    """Return the query for the actor, and add to the values what its parameters are."""
    ids = (actor.person,), (actor.person,), tuple(dict.fromkeys(actor.roles)), tuple(dict.fromkeys(actor.groups))
    possible = [(kind, each) for kind, several in zip(KINDS, ids, strict=True) for each in several if can_be(each)]
    if len(possible) <= MOST_BRANCHES:
        values.update({f"mine_{number}": each for number, (_, each) in enumerate(possible)})
        return _usual(tables, tuple(kind for kind, _ in possible))
    by_kind = {kind: [each for one, each in possible if one == kind] for kind, _ in possible}
    several = list(by_kind.values())
    return _union(tables, tuple(by_kind), lambda number, value: among(database, value, several[number]))


@lru_cache(maxsize=256)
def _usual(tables: Tables, kinds: tuple[str, ...]) -> Select[Any]:
    """Return the query for one id of each of these kinds, which is made once: that takes longer than to run it."""
    return _union(tables, kinds, lambda number, value: value == bindparam(f"mine_{number}"))


def _union(tables: Tables, kinds: Iterable[str], wanted: Callable[[int, Any], ColumnElement[bool]]) -> Select[Any]:
    """Return the query for several entitlements: of these kinds, each to what is wanted of its place among them."""
    main, entitled, votes = tables[0], tables[1].alias("e"), tables[2].alias("v")  # psycopg keeps short texts only
    rows = bindparam("rows", type_=Integer)
    branches = [
        _branch(entitled, votes, and_(entitled.c.kind == kind, wanted(number, entitled.c.value))).limit(rows).subquery()
        for number, kind in enumerate(kinds)
    ]
    together = union(*(select(each.c.opened_position) for each in branches)).subquery()
    first = select(together.c.opened_position).order_by(together.c.opened_position).limit(rows)
    return select(main).where(main.c.opened_position.in_(first)).order_by(main.c.opened_position)


def _branch(entitled: FromClause, votes: FromClause, mine: ColumnElement[bool]) -> Select[Any]:
    people: BindParameter[str] = bindparam("people", expanding=True)
    # One look into an index for each row: `NOT EXISTS` would become a join that reads all votes. Compared with `!=`
    # so that the planner expects most rows to pass, and walks along the index no further than one page.
    decided = (
        select(literal(1))
        .select_from(votes)
        .where(
            votes.c.opened_position == entitled.c.opened_position,
            votes.c.kind.in_(("behind", "barred")),
            votes.c.value.in_(people),
        )
        .limit(1)
        .scalar_subquery()
    )
    in_name = and_(entitled.c.on_behalf_of.is_not(None), entitled.c.on_behalf_of.in_(people))
    in_time = or_(entitled.c.decide_before.is_(None), entitled.c.decide_before > bindparam("now"))
    return (
        select(entitled.c.opened_position)
        .where(
            entitled.c.actionable,
            mine,
            entitled.c.opened_position > bindparam("beyond"),
            in_time,
            not_(or_(entitled.c.requester.in_(people), in_name)),
            func.coalesce(decided, 0) != 1,
        )
        .order_by(entitled.c.opened_position)
    )
