"""The commonest lists: how long the first page takes, and page 1,000, which must not take longer."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from time import perf_counter
from typing import Any

from governance import Actor
from projections import Page, Views
from projections.paging import MAX_LIMIT
from scripts.benchmarks.measure import Rate, Table, rate_of

LIMIT = 50
DEEP = 1_000
CALLS = 200
LEAD = Actor(id="alan", roles=("lead",))
List = Callable[..., Page[Any]]


def lists(views: Views) -> Mapping[str, List]:
    """Return the ten lists; each takes `limit` and `after`."""
    return {
        "requests": views.requests,
        "requests, pending": partial(views.requests, status="pending"),
        "requests that wait for an approval": partial(views.requests, pending_reason="approval"),
        "requests of one person": partial(views.requests, requester="person-17"),
        "requests with a tag": partial(views.requests, tags_any="eu"),
        "requests with two tags": partial(views.requests, tags_all=("eu", "prod")),
        "requests of a type, last changed first": partial(views.requests, mutation_type="set_limit", sort="-updated"),
        "requests about a state": partial(views.requests, state_id="state-00000042"),
        "recent decisions": views.recent_decisions,
        "inbox": partial(views.inbox, LEAD),
    }


def table(url: str, title: str) -> Table:
    """Return the table of all lists, each with its first page and one far behind it."""
    views = Views.open(url)
    contenders: dict[str, Callable[[], Rate]] = {}
    for name, found in lists(views).items():
        contenders[f"{name}: first page"] = partial(_rate, found, None)
        page, after = _behind(found)
        if page > 1:
            contenders[f"{name}: page {page:,}"] = partial(_rate, found, after)
    return Table(title, contenders, next(iter(contenders)), views.close)


def _behind(found: List) -> tuple[int, str | None]:
    """Return the cursor before page 1,000, or the last one that there is."""
    page, after = 1, None
    for each in _cursors(found):
        page, after = page + MAX_LIMIT // LIMIT, each
        if page > DEEP:
            break
    return page, after


def _cursors(found: List) -> Iterator[str]:
    after = None
    while (after := found(limit=MAX_LIMIT, after=after).next) is not None:
        yield after


def _rate(found: List, after: str | None) -> Rate:
    times: list[float] = []
    for _ in range(CALLS):
        began = perf_counter()
        found(limit=LIMIT, after=after)
        times.append(perf_counter() - began)
    return rate_of(times, sum(times))
