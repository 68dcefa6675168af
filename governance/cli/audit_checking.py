"""`gov audit check`: every request computed from its events, compared with its row in the view `requests`."""

from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from governance.audit.replay import Range
    from governance.cli.session import Session
    from governance.domain.request import MutationRequest
    from governance.event_store.audit_rows import AuditRows
    from projections import RequestRow, Views

_AT_ONCE: Final = 500
_MOST_TOLD: Final = 200


def compared(session: "Session", rows: "AuditRows", processes: int) -> dict[str, Any]:
    """Return what differs; the view is taken as far as it is, and the requests as they were then."""
    from governance.audit.workers import Workers
    from governance.settings import Settings
    from projections import Views

    schema = Settings().database_schema
    workers = Workers(session.url, schema, processes)
    with Views.open(session.url, database_schema=schema) as views:
        position = views.requests(limit=1).position
        requests, differences = 0, Differences()
        for count, found in workers.each(partial(compare_range, position), rows.ranges(workers.events)):
            requests += count
            differences.add(found)
        _Comparison(views, differences).look_for_strays(rows, position)
    return {
        "position": position,
        "requests": requests,
        "difference_count": differences.count,
        "differences": differences.told,
    }


def compare_range(position: int, url: str, schema: str, streams: "Range") -> "tuple[int, Differences]":
    """Return how many requests a range of streams holds, and how they differ from the view."""
    from governance.audit.replay import Point, Replay
    from governance.event_store.audit_connection import AuditConnection
    from governance.event_store.audit_rows import AuditRows
    from projections import Views

    with AuditConnection(url, schema=schema) as connection, Views.open(url, database_schema=schema) as views:
        requests = Replay(AuditRows(connection)).requests(Point(position=position), streams=streams)
        comparison, count = _Comparison(views, Differences()), 0
        while lot := list(islice(requests, _AT_ONCE)):
            comparison.compare(lot)
            count += len(lot)
    return count, comparison.differences


@dataclass
class Differences:
    """How many there are, and the first of them."""

    count: int = 0
    told: list[dict[str, Any]] = field(default_factory=list)

    def add(self, other: "Differences") -> None:
        """Take in what was found elsewhere."""
        self.count += other.count
        self.told += other.told[: _MOST_TOLD - len(self.told)]


class _Comparison:
    def __init__(self, views: "Views", differences: Differences) -> None:
        self._views = views
        self.differences = differences

    def compare(self, lot: "list[MutationRequest]") -> None:
        page = self._views.requests(request_id=[each.id for each in lot], limit=_AT_ONCE)
        found = {row.request_id: row for row in page.items}
        for request in lot:
            row = found.get(request.id)
            if row is None:
                self._differ(request.id, "(all)", "there", None)
            else:
                self._compare(request, row)

    def look_for_strays(self, rows: "AuditRows", position: int) -> None:
        """Look for rows of requests that the log does not hold."""
        after: str | None = None
        while True:
            page = self._views.requests(limit=_AT_ONCE, after=after)
            places = [(f"mutationRequest-{row.request_id}", 1) for row in page.items]
            known = {row[1].decode() for row in rows.at(places) if row[0] <= position} if places else set()
            for row in page.items:
                if f"mutationRequest-{row.request_id}" not in known:
                    self._differ(row.request_id, "(all)", None, "there")
            after = page.next
            if after is None:
                return

    def _compare(self, request: "MutationRequest", row: "RequestRow") -> None:
        for name, expected in _expected(request).items():
            shown = getattr(row, name)
            if shown != expected:
                self._differ(request.id, name, expected, shown)

    def _differ(self, request_id: str, name: str, events: Any, view: Any) -> None:
        told = {"request_id": request_id, "field": name, "events": _json(events), "view": _json(view)}
        self.differences.add(Differences(1, [told]))


def _expected(request: "MutationRequest") -> dict[str, Any]:
    """Return what the view has to say of a request, by column."""
    same = (
        "state_id", "state_type", "stale", "round", "evaluated_version", "resulting_version", "attempts",
        "end_code", "ended_because", "correlation_id", "idempotency_key", "reason", "pending_reasons", "created_at",
        "updated_at", "expires_at", "version", "position",
    )  # fmt: skip
    links = request.links
    broken = request.glass_break
    return {
        **{name: getattr(request, name) for name in same},
        "status": str(request.status),
        "mutation_type": request.mutation.type,
        "mutation_version": request.mutation.version,
        "requester": request.requester.id,
        "on_behalf_of": request.requester.on_behalf_of,
        "risk": request.intent.risk,
        "effects": len(request.effects),
        "supersedes": links.supersedes,
        "superseded_by": links.superseded_by,
        "compensates": links.compensates,
        "compensated_by": links.compensated_by,
        "glass_broken_by": broken.by.id if broken else None,
        "reviewed_by": broken.reviewed_by if broken else None,
    }


def _json(value: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Any).dump_python(value, mode="json")
