"""The inbox: what one person can decide on now, found through the index of who is entitled to what."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, and_, func, literal, not_, or_, select, union
from sqlalchemy.sql.elements import ColumnElement

from governance.domain.actors import Actor
from projections.conditions import can_be
from projections.database import Database
from projections.paging import Page, check_limit, read_cursor
from projections.reading import Found, Reader
from projections.writing import among

MOST_BRANCHES: Final = 60
"""An actor with more roles and groups than this is looked for in one branch for each kind of entitlement."""


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
        branches = [
            _branch(tables, actor, now, beyond, mine).limit(rows).subquery()
            for mine in _entitlements(database, tables["approvals_entitled"], actor)
        ]
        mine = union(*(select(each.c.opened_position) for each in branches)).subquery()
        wanted = select(mine.c.opened_position).order_by(mine.c.opened_position).limit(rows)
        query = select(main).where(main.c.opened_position.in_(wanted)).order_by(main.c.opened_position)
        found = connection.execute(query).mappings().all()
    return reader.cut(found, limit, sort, scope, generation.position)


def _branch(tables: dict[str, Any], actor: Actor, now: datetime, beyond: int, mine: ColumnElement[bool]) -> Select[Any]:
    entitled, votes = tables["approvals_entitled"], tables["approvals_votes"]
    people = sorted(actor.people)
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
    own = or_(entitled.c.requester.in_(people), and_(entitled.c.on_behalf_of.is_not(None), _in_name(entitled, people)))
    in_time = or_(entitled.c.decide_before.is_(None), entitled.c.decide_before > now)
    return (
        select(entitled.c.opened_position)
        .where(
            entitled.c.actionable,
            mine,
            entitled.c.opened_position > beyond,
            in_time,
            not_(own),
            func.coalesce(decided, 0) != 1,
        )
        .order_by(entitled.c.opened_position)
    )


def _in_name(entitled: Any, people: list[str]) -> ColumnElement[bool]:
    found: ColumnElement[bool] = entitled.c.on_behalf_of.in_(people)
    return found


def _entitlements(database: Database, entitled: Any, actor: Actor) -> list[ColumnElement[bool]]:
    person = [actor.person]
    by_kind = {"actor": person, "delegate": person, "role": list(actor.roles), "group": list(actor.groups)}
    possible = {kind: [each for each in dict.fromkeys(ids) if can_be(each)] for kind, ids in by_kind.items()}
    if sum(map(len, possible.values())) <= MOST_BRANCHES:
        return [
            and_(entitled.c.kind == kind, entitled.c.value == each) for kind, ids in possible.items() for each in ids
        ]
    return [
        and_(entitled.c.kind == kind, among(database, entitled.c.value, ids)) for kind, ids in possible.items() if ids
    ]
