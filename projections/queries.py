"""What users ask of the views, each as one method: lists of requests, approvals, decisions, changes and more."""

from datetime import UTC, datetime
from typing import Any, Final, Unpack

from governance.domain.actors import Actor
from projections.filters import AnyOf, Between, Filter, IsIn, Not
from projections.inbox import inbox
from projections.keywords import (
    AgendaFilters,
    ApprovalFilters,
    ChangeFilters,
    DecisionFilters,
    ExecutionFilters,
    RequestFilters,
    StateFilters,
    filter_of,
)
from projections.labels import label
from projections.lead_times import Activity, By, LeadTime, Period, activity, lead_times
from projections.lists import Lists
from projections.paging import Page
from projections.reading import EVERYTHING, Ask
from projections.rows import (
    AgendaRow,
    ApprovalRow,
    ChangeRow,
    DecisionRow,
    ExecutionRow,
    RequestRow,
    Row,
    StateRow,
)

_NOT_DECIDED: Final = ("Created", "PoliciesEvaluated", "PendingApproval", "Commented")


class Views(Lists):
    """The views of one store. All filters of a call must hold; `where` says what the keyword arguments cannot.

    Every list takes `sort`, `limit` (up to 1,000) and `after` (the `next` of the page before). All raise InputError
    for what cannot be asked and ViewNotBuiltError before the view was built.
    """

    def requests(
        self,
        where: Filter = EVERYTHING,
        *,
        sort: str | None = None,
        limit: int = 50,
        after: str | None = None,
        **filters: Unpack[RequestFilters],
    ) -> Page[RequestRow]:
        """Return requests, newest first; or sorted by `created`, `updated`, `risk` or `expires`."""
        return self._list("requests", RequestRow, Ask(filter_of("requests", filters, where), sort, limit, after))

    def approvals(
        self,
        where: Filter = EVERYTHING,
        *,
        sort: str | None = None,
        limit: int = 50,
        after: str | None = None,
        **filters: Unpack[ApprovalFilters],
    ) -> Page[ApprovalRow]:
        """Return approval requirements, oldest first; or sorted by `due`, which leaves out those without a deadline."""
        return self._list("approvals", ApprovalRow, Ask(filter_of("approvals", filters, where), sort, limit, after))

    def inbox(
        self, actor: Actor, *, limit: int = 50, after: str | None = None, now: datetime | None = None
    ) -> Page[ApprovalRow]:
        """Return what the actor can decide on now, oldest first: entitled, in step, in time, not their own, not yet
        decided.
        """
        found = inbox(self._database, self._reader("approvals"), actor, limit, after, now or datetime.now(UTC))
        return _typed(ApprovalRow, found)

    def waiting_on(self, actor: Actor, *, limit: int = 50, after: str | None = None) -> Page[ApprovalRow]:
        """Return whose decisions the actor's own requests wait for now, oldest first."""
        mine = AnyOf(parts=tuple(IsIn(field=name, values=(*actor.people,)) for name in ("requester", "on_behalf_of")))
        return self.approvals(mine, actionable=True, limit=limit, after=after)

    def overdue(self, *, now: datetime | None = None, limit: int = 50, after: str | None = None) -> Page[AgendaRow]:
        """Return what was due before now and has not happened, longest overdue first."""
        return self.agenda(due_to=now or datetime.now(UTC), limit=limit, after=after)

    def decisions(
        self,
        where: Filter = EVERYTHING,
        *,
        sort: str | None = None,
        limit: int = 50,
        after: str | None = None,
        **filters: Unpack[DecisionFilters],
    ) -> Page[DecisionRow]:
        """Return decisions about requests, newest first."""
        return self._list("decisions", DecisionRow, Ask(filter_of("decisions", filters, where), sort, limit, after))

    def recent_decisions(
        self,
        *,
        limit: int = 50,
        after: str | None = None,
        **filters: Unpack[DecisionFilters],
    ) -> Page[DecisionRow]:
        """Return what somebody or something decided, newest first, without what was only asked, opened or said."""
        decided = Not(part=IsIn(field="decision", values=_NOT_DECIDED))
        return self.decisions(decided, limit=limit, after=after, **filters)

    def states(
        self,
        where: Filter = EVERYTHING,
        *,
        sort: str | None = None,
        limit: int = 50,
        after: str | None = None,
        **filters: Unpack[StateFilters],
    ) -> Page[StateRow]:
        """Return governed states, last changed first; or sorted by `id`."""
        return self._list("states", StateRow, Ask(filter_of("states", filters, where), sort, limit, after))

    def changes(
        self,
        where: Filter = EVERYTHING,
        *,
        sort: str | None = None,
        limit: int = 50,
        after: str | None = None,
        **filters: Unpack[ChangeFilters],
    ) -> Page[ChangeRow]:
        """Return changed paths of states, newest first."""
        return self._list("changes", ChangeRow, Ask(filter_of("changes", filters, where), sort, limit, after))

    def state_timeline(
        self, state_id: str, path: str | None = None, *, limit: int = 50, after: str | None = None
    ) -> Page[ChangeRow]:
        """Return what changed in a state, oldest first; with `path` (a JSON Pointer) only there and below."""
        below = EVERYTHING if path is None else _at_or_below(path)
        return self.changes(below, state_id=state_id, sort="changed", limit=limit, after=after)

    def executions(
        self,
        where: Filter = EVERYTHING,
        *,
        sort: str | None = None,
        limit: int = 50,
        after: str | None = None,
        **filters: Unpack[ExecutionFilters],
    ) -> Page[ExecutionRow]:
        """Return attempts to run requests, newest first."""
        return self._list("executions", ExecutionRow, Ask(filter_of("executions", filters, where), sort, limit, after))

    def agenda(
        self,
        where: Filter = EVERYTHING,
        *,
        sort: str | None = None,
        limit: int = 50,
        after: str | None = None,
        **filters: Unpack[AgendaFilters],
    ) -> Page[AgendaRow]:
        """Return what is due when, soonest first."""
        return self._list("agenda", AgendaRow, Ask(filter_of("agenda", filters, where), sort, limit, after))

    def activity(
        self,
        by: Period = "hour",
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        mutation_type: str | None = None,
    ) -> tuple[Activity, ...]:
        """Return how many requests came how far in each hour or day (UTC), oldest first."""
        return activity(self._database, self._reader("activity"), by, (since, until), mutation_type)

    def lead_times(
        self,
        by: By = "day",
        *,
        milestone: str = "executed",
        since: datetime | None = None,
        until: datetime | None = None,
        mutation_type: str | None = None,
    ) -> tuple[LeadTime, ...]:
        """Return how long requests took from submission to a milestone, by hour, day or mutation type.

        The milestone `ran` counts from approval to execution. Percentiles are exact to 19 %.
        """
        return lead_times(self._database, self._reader("activity"), by, milestone, (since, until), mutation_type)

    def _list(self, view: str, kind: type[Row], ask: Ask) -> Page[Any]:
        return _typed(kind, self._reader(view).page(ask))


def _typed(kind: type[Row], page: Page[Any]) -> Page[Any]:
    names = tuple(page.items[0]) if page.items else ()
    rows = (dict(zip(names, row.values(), strict=True)) for row in page.items)
    return Page(tuple(map(kind.of, rows)), page.next, page.position)


def _at_or_below(path: str) -> Filter:
    """Return the filter for a path and all below it: `0` is the character that follows `/`."""
    if path == "":
        return EVERYTHING
    if label(path) != path:
        return IsIn(field="path", values=(path,))
    here = IsIn(field="path_label", values=(path,))
    return AnyOf(parts=(here, Between(field="path_label", low=f"{path}/", high=f"{path}/\U0010ffff")))
