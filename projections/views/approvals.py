"""The view `approvals`: one row per approval requirement, who may decide on it, and who has; the inbox."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from sqlalchemy import Boolean, Column, Integer, Text

from projections.about import FIELDS, UNKNOWN, about, amended, columns, way_back
from projections.events import AnyEvent
from projections.filters import Fields, Labels, Plain, Words
from projections.labels import folded
from projections.progress import APPROVAL, Opened, Progress
from projections.tables import KEY, POSITION, Json, Key, Moment, ViewTable, json_text, stored_moment
from projections.view import Row, Rows, View

APPROVALS: Final[tuple[Column[Any], ...]] = (
    Column("request_id", KEY, nullable=False),
    Column("requirement_id", KEY, nullable=False),
    Column("opened_position", POSITION, nullable=False),
    Column("round", Integer, nullable=False),
    Column("name", KEY),
    Column("step", Integer, nullable=False),
    Column("quorum", Integer, nullable=False),
    Column("missing", Integer, nullable=False),
    Column("veto", Boolean, nullable=False),
    Column("status", KEY, nullable=False),
    Column("actionable", Boolean, nullable=False),
    Column("request_status", KEY, nullable=False),
    Column("approvers", Json, nullable=False),
    Column("granted_by", Json, nullable=False),
    Column("rejected_by", Json, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("settled_at", Moment),
    Column("expires_at", Moment),
    Column("decide_before", Moment),
    Column("reason", Text),
    Column("reason_folded", Text),
    Column("reversibility", Text),
    *columns(),
)
ENTITLED: Final[tuple[Column[Any], ...]] = (
    Column("opened_position", POSITION, nullable=False),
    Column("request_id", KEY, nullable=False),
    Column("kind", KEY, nullable=False),
    Column("value", KEY, nullable=False),
    Column("actionable", Boolean, nullable=False),
    Column("decide_before", Moment),
    Column("requester", KEY),
    Column("on_behalf_of", KEY),
)
VOTES: Final[tuple[Column[Any], ...]] = (
    Column("opened_position", POSITION, nullable=False),
    Column("request_id", KEY, nullable=False),
    Column("kind", KEY, nullable=False),
    Column("value", KEY, nullable=False),
)


class Asked:
    """The requirements of one request."""

    __slots__ = ("about", "created", "progress", "request_id")

    def __init__(self, stream: str) -> None:
        self.request_id = stream
        self.progress = Progress()
        self.created: Any = None
        self.about: Row = UNKNOWN


class Approvals(View[Asked]):
    """One row per requirement; beside it who is entitled to decide, and who has decided how."""

    name: ClassVar[str] = "approvals"
    weight: ClassVar[float] = 3.0
    version: ClassVar[int] = 2
    newest_first: ClassVar[bool] = False
    tables: ClassVar[tuple[ViewTable, ...]] = (
        ViewTable(
            "approvals",
            APPROVALS,
            key=("opened_position",),
            owner="request_id",
            indexes=(
                Key(("request_id",)),
                Key(("opened_position",), only="actionable"),
                Key(("status", "opened_position")),
                Key(("requester", "opened_position")),
                Key(("state_id", "opened_position")),
                Key(("decide_before", "opened_position")),
            ),
        ),
        ViewTable(
            "approvals_entitled",
            ENTITLED,
            key=("opened_position", "kind", "value"),
            owner="request_id",
            indexes=(Key(("request_id",)), Key(("kind", "value", "opened_position"), only="actionable")),
        ),
        ViewTable(
            "approvals_votes",
            VOTES,
            key=("opened_position", "kind", "value"),
            owner="request_id",
            indexes=(Key(("request_id",)), Key(("kind", "value", "opened_position"))),
        ),
    )
    fields: ClassVar[Fields] = {
        **FIELDS,
        **{name: Plain(name) for name in ("requirement_id", "name", "status", "request_status")},
        **{name: Plain(name, "number") for name in ("round", "step", "quorum", "missing", "opened_position")},
        **{name: Plain(name, "moment") for name in ("opened_at", "settled_at", "expires_at", "decide_before")},
        **{name: Plain(name, "flag") for name in ("actionable", "veto")},
        "reason": Words("reason", "reason_folded"),
        "approver": Labels("approvals_entitled", "actor", owner="opened_position"),
        "approver_role": Labels("approvals_entitled", "role", owner="opened_position"),
        "approver_group": Labels("approvals_entitled", "group", owner="opened_position"),
        "granted_by": Labels("approvals_votes", "granted", owner="opened_position"),
        "rejected_by": Labels("approvals_votes", "rejected", owner="opened_position"),
    }
    sorts: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "opened": ("opened_position",),
        "due": ("decide_before", "opened_position"),
    }

    def begin(self, stream: str) -> Asked:
        """Return a request without requirements."""
        return Asked(stream)

    def apply(self, state: Asked, event: AnyEvent, rows: Rows) -> None:
        """Take one event of the request in."""
        state.progress.apply(event)
        if event.topic == "Created":
            state.created = event.data
            state.about = about(event.data, event.at)
        elif event.topic == "Amended":
            state.about = amended(state.about, event.data)

    def settle(self, state: Asked, rows: Rows) -> None:
        """Add the rows of all requirements that the request ever had."""
        turn = {each.id for each in state.progress.actionable()}
        ends = stored_moment(state.created.expires_at) if state.created else None
        for opened in (each for each in state.progress.opened.values() if each.kind == APPROVAL):
            actionable = opened.id in turn
            before = min((each for each in (stored_moment(opened.expires_at), ends) if each), default=None)
            rows.add("approvals", _row(state, opened, actionable, before))
            _entitled(state, opened, actionable, before, rows)
            _votes(state, opened, rows)


def _entitled(state: Asked, opened: Opened, actionable: bool, before: str | None, rows: Rows) -> None:
    """Add who may decide: those asked for, and those in whose hands one of them has put it, for as long as that is."""
    created = state.created
    requester = (created.requester.id, created.requester.on_behalf_of) if created else (None, None)
    for kind, value in dict.fromkeys((each.kind, each.id) for each in opened.approvers):
        rows.add("approvals_entitled", (opened.position, state.request_id, kind, value, actionable, before, *requester))
    for delegate, until in opened.delegates().items():
        ends = min(until, before or until)
        rows.add(
            "approvals_entitled",
            (opened.position, state.request_id, "delegate", delegate, actionable, ends, *requester),
        )


def _votes(state: Asked, opened: Opened, rows: Rows) -> None:
    """Add who has decided how, and who may not decide any more, or not here."""
    by_kind = {
        "granted": opened.voters("granted"),
        "rejected": opened.voters("rejected"),
        "behind": opened.behind_votes(),
        "barred": state.progress.barred(opened),
    }
    for kind, people in by_kind.items():
        for person in dict.fromkeys(people):
            rows.add("approvals_votes", (opened.position, state.request_id, kind, person))


def _row(state: Asked, opened: Opened, actionable: bool, before: str | None) -> Row:
    granted = opened.voters("granted")
    reason = state.created.reason if state.created else None
    return (
        state.request_id,
        opened.id,
        opened.position,
        opened.round,
        opened.name,
        opened.step,
        opened.quorum,
        max(0, opened.quorum - len(granted)),
        opened.veto,
        opened.status,
        actionable,
        state.progress.status,
        json_text([f"{each.kind}:{each.id}" for each in opened.approvers]),
        json_text(granted),
        json_text(opened.voters("rejected")),
        stored_moment(opened.opened_at),
        stored_moment(opened.settled_at),
        stored_moment(opened.expires_at),
        before,
        reason,
        folded(reason),
        way_back(state.created) if state.created else None,
        *state.about,
    )
