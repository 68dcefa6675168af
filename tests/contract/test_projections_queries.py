"""What asking the views promises, on SQLite and PostgreSQL alike."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from governance import Actor
from governance.domain.errors import InputError
from projections import Filter, Projections, RequestRow, Views, field, pair, read_filter
from projections.filters import AllOf, AnyOf, Between, Contains, Has, IsIn, Missing, Not
from projections.keywords import RequestFilters
from projections.vocabulary import RISKS
from tests.histories import START, STATES, Play

NASTY = (
    "'; DROP TABLE view_requests_1; --",
    '" OR 1=1 --',
    "\\",
    "%",
    "_",
    "100 % SURE_\\",
    "a\x00b",
    "\ud800",
    "${jndi}",
    "{}",
    "%s",
    ":name",
    "?",
    "x" * 20_000,
    "",
    "سلام",
)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give a store with a history and views of it, made once for all questions."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('questions') / 'governance.db'}"
        return
    with request.getfixturevalue("postgres_databases").database() as url:
        yield url


@pytest.fixture(scope="module")
def views(url: str) -> Iterator[Views]:
    with Play(url, 21) as play:
        play.commands(250)
    with Projections.open(url) as projections:
        projections.catch_up()
    with Views.open(url) as views:
        yield views


@pytest.fixture(scope="module")
def everything(views: Views) -> tuple[RequestRow, ...]:
    return views.requests(limit=1_000).items


def walk(ask: Callable[[str | None], Any]) -> list[Any]:
    """Return all items, page by page."""
    found: list[Any] = []
    after = None
    while True:
        page = ask(after)
        found += page.items
        after = page.next
        if after is None:
            return found


@pytest.mark.parametrize("sort", [None, "created", "-created", "updated", "-updated", "risk", "-risk"])
def test_pages_hold_every_row_once_in_order(views: Views, everything: tuple[RequestRow, ...], sort: str | None) -> None:
    found = walk(lambda after: views.requests(sort=sort, limit=7, after=after))
    assert sorted(row.request_id for row in found) == sorted(row.request_id for row in everything)
    keys: dict[str, Callable[[RequestRow], Any]] = {
        "created": lambda row: row.created_at,
        "updated": lambda row: row.position,
        "risk": lambda row: RISKS.index(row.risk or "low"),
    }
    values = [keys[(sort or "created").removeprefix("-")](row) for row in found]
    assert values == sorted(values, reverse=sort is None or sort.startswith("-"))


def test_pages_stay_right_while_rows_are_added(tmp_path_factory: pytest.TempPathFactory) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('growing') / 'governance.db'}"
    with Play(url, 3) as play:
        play.commands(60)
        with Projections.open(url) as projections, Views.open(url) as views:
            projections.catch_up()
            first = views.requests(limit=5)
            known = {row.request_id for row in views.requests(limit=1_000).items}
            play.commands(30)
            projections.catch_up()
            rest = walk(lambda after: views.requests(limit=5, after=after or first.next))
            assert len(views.requests(limit=1_000).items) > len(known)
    seen = [row.request_id for row in (*first.items, *rest)]
    assert sorted(seen) == sorted(known)


def test_a_cursor_is_good_for_its_own_list_only(views: Views) -> None:
    cursor = views.requests(limit=3).next
    assert cursor is not None
    for wrong in (
        lambda: views.requests(limit=3, after=cursor, sort="created"),
        lambda: views.requests(limit=3, after=cursor, status="pending"),
        lambda: views.decisions(limit=3, after=cursor),
        lambda: views.requests(after=cursor[:-2]),
        lambda: views.requests(after="nonsense"),
        lambda: views.requests(after="x" * 100_000),
        lambda: views.requests(after=base64.urlsafe_b64encode(b'abcdefabcdef["1; DROP"]').decode()),
        lambda: views.inbox(Actor(id="ada"), after=cursor),
        lambda: views.requests(limit=0),
        lambda: views.requests(limit=1_001),
        lambda: views.requests(sort="reason"),
    ):
        with pytest.raises(InputError):
            wrong()


def test_the_common_filters(views: Views, everything: tuple[RequestRow, ...]) -> None:
    def check(wanted: Callable[[RequestRow], bool], **asked: Any) -> None:
        found = {row.request_id for row in views.requests(limit=1_000, **asked).items}
        assert found == {row.request_id for row in everything if wanted(row)}
        assert found

    middle = START + timedelta(hours=5)
    check(lambda row: row.status == "executed", status="executed")
    check(lambda row: row.status in {"pending", "approved"}, status=["pending", "approved"])
    check(lambda row: "approval" in row.pending_reasons, pending_reason="approval")
    check(lambda row: row.state_id == STATES[2], state_id=STATES[2])
    check(lambda row: row.requester in {"ada", "bob"}, requester=("ada", "bob"))
    check(lambda row: row.category == "content", category="content")
    check(lambda row: row.risk == "critical", risk="critical")
    check(lambda row: {"prod", "grow"} & {*row.tags} != set(), tags_any=["prod", "grow", "none"])
    check(lambda row: {"prod", "grow"} <= {*row.tags}, tags_all=["prod", "grow"])
    check(lambda row: row.correlation_id == "trip-1", correlation_id="trip-1")
    check(lambda row: row.created_at >= middle, created_from=middle)
    check(lambda row: row.updated_at <= middle, updated_to=middle)
    check(lambda row: "100 % SURE_\\" in row.reason, text="% sure_\\")
    check(lambda row: "GROSS" in row.reason, text="GROß")
    check(lambda row: "Executed" in row.decisions, decision=["Executed"])
    check(lambda row: row.effects > 0, effect="items.told")


def test_metadata_is_found_by_name_value_and_type(views: Views) -> None:
    def found(*pairs: str) -> int:
        return len(views.requests(field("metadata").has_any(*pairs), limit=1_000).items)

    assert found(pair("ticket", 42)) > 0
    assert found(pair("ticket", "42")) > 0
    assert found(pair("ticket", 42), pair("ticket", "42")) == found(pair("ticket", 42)) + found(pair("ticket", "42"))
    assert found(pair("long", "x" * 900)) == found(pair("ticket", "42"))
    assert found(pair("long", "x" * 899)) == 0
    assert len(views.requests(field("intent").has_all(pair("why", [1, None]))).items) > 0


def test_rows_about_requests_are_found_by_what_is_said_of_the_request(
    views: Views, everything: tuple[RequestRow, ...]
) -> None:
    executed = {row.request_id for row in everything if row.status == "executed" and "prod" in row.tags}
    asked = field("request.status").is_in("executed") & field("request.tag").has_any("prod")
    assert {row.request_id for row in views.decisions(asked, limit=1_000).items} == executed
    assert {row.request_id for row in views.executions(tags_all=["prod"], result="executed").items} <= executed | {
        row.request_id for row in everything if row.status == "compensated"
    }


def test_a_timeline_shows_a_path_and_what_is_below_it(views: Views) -> None:
    whole = walk(lambda after: views.state_timeline(STATES[0], limit=3, after=after))
    assert [(row.position, row.number) for row in whole] == sorted((row.position, row.number) for row in whole)
    below = views.state_timeline(STATES[0], "/items", limit=1_000).items
    assert [row.path for row in below] == [row.path for row in whole if row.path.startswith("/items")]
    assert {row.path for row in views.state_timeline(STATES[0], "/size").items} == {"/size"}
    assert views.state_timeline(STATES[0], "/siz").items == ()


@pytest.mark.parametrize("nasty", NASTY)
def test_no_value_becomes_sql(views: Views, everything: tuple[RequestRow, ...], nasty: str) -> None:
    names = RequestFilters.__annotations__
    for name in names:
        if name.endswith(("_from", "_to")) or name in {"risk", "decision"}:
            continue
        given: Any = {name: nasty}
        rows = views.requests(**given).items
        wanted = [row for row in everything if name == "text" and nasty.casefold() in row.reason.casefold()]
        assert len(rows) == min(50, len(wanted))
    for name in ("risk", "decision"):
        with pytest.raises(InputError):
            views.requests(**{name: nasty})  # type: ignore[arg-type]
    with pytest.raises(InputError):
        views.requests(field(nasty).is_in("x"))
    with pytest.raises(InputError):
        views.requests(sort=nasty)
    if "\x00" not in nasty and nasty.isprintable() and 0 < len(nasty) <= 200:
        assert views.inbox(Actor(id="zed", roles=(nasty,))).items == ()
    assert len(views.requests(limit=1_000).items) == len(everything)


def test_large_and_deep_filters_are_answered_or_refused(views: Views, everything: tuple[RequestRow, ...]) -> None:
    ids = [f"id-{number}" for number in range(50_000)] + [everything[0].request_id]
    assert len(views.requests(request_id=ids).items) == 1
    with pytest.raises(InputError):
        views.requests(request_id=[str(number) for number in range(100_001)])
    deep: Filter = field("status").is_in("executed")
    for _ in range(30):
        deep = Not(part=deep)
    assert len(views.requests(deep, limit=1_000).items) == sum(row.status == "executed" for row in everything)
    for _ in range(30):
        deep = Not(part=deep)
    with pytest.raises(InputError):
        views.requests(deep)
    with pytest.raises(InputError):
        read_filter('{"op": "not", "part": ' * 5_000)


@pytest.mark.parametrize(
    "wrong",
    [
        field("status").between(1, 2),
        field("created_at").is_in("yesterday"),
        field("round").is_in("one"),
        field("round").is_in(2**70),
        field("justified").between(True, False),
        field("reason").is_in("because"),
        field("tag").contains("x"),
        field("status").has_any("x"),
        field("risk").is_in("enormous"),
        field("decision").has_any("Dreamt"),
    ],
)
def test_a_question_of_the_wrong_type_is_refused(views: Views, wrong: Filter) -> None:
    with pytest.raises(InputError):
        views.requests(wrong)


def test_counts(views: Views, everything: tuple[RequestRow, ...]) -> None:
    pending = field("status").is_in("pending")
    assert views.count(where=pending).rows == sum(row.status == "pending" for row in everything)
    guess = views.count(where=pending, exact=False)
    assert guess.rows >= 0


def test_a_filter_survives_json(views: Views) -> None:
    where = (field("status").is_in("pending") | field("created_at").between(START)) & ~field("tag").has_any("prod")
    again = read_filter(where.model_dump_json())
    assert again == where
    assert views.requests(again).items == views.requests(where).items


def several(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    """Draw some of the values."""
    return st.lists(st.sampled_from(values)).map(tuple)


LEAVES: st.SearchStrategy[Filter] = st.one_of(
    st.builds(IsIn, field=st.just("status"), values=several("executed", "pending", "x'")),
    st.builds(IsIn, field=st.just("category"), values=several("content", "no")),
    st.builds(Between, field=st.just("risk"), low=st.sampled_from(RISKS)),
    st.builds(Has, field=st.just("tag"), values=several("prod", "grow", "eu", "%"), every=st.booleans()),
    st.builds(Missing, field=st.sampled_from(["category", "executed_at", "tag"])),
    st.builds(Contains, field=st.just("reason"), text=st.sampled_from(["because", "SURE_", "grüsse", ""])),
    st.integers(0, 20).map(lambda hours: Between(field="updated_at", high=START + timedelta(hours=hours))),
)
FILTERS: st.SearchStrategy[Filter] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda parts: AllOf(parts=tuple(parts)), st.lists(inner, max_size=3)),
        st.builds(lambda parts: AnyOf(parts=tuple(parts)), st.lists(inner, max_size=3)),
        st.builds(lambda part: Not(part=part), inner),
    ),
    max_leaves=8,
)


def holds(where: Filter, row: RequestRow) -> bool:
    """Say in plain Python whether a filter lets a row pass."""
    match where:
        case AllOf(parts=parts):
            return all(holds(part, row) for part in parts)
        case AnyOf(parts=parts):
            return any(holds(part, row) for part in parts)
        case Not(part=part):
            return not holds(part, row)
        case _:
            return leaf_holds(where, row)


def leaf_holds(where: Filter, row: RequestRow) -> bool:
    match where:
        case IsIn(field=name, values=values):
            return getattr(row, name) in values
        case Has(values=values, every=every):
            return {*values} <= {*row.tags} if every else bool({*values} & {*row.tags})
        case Missing(field=name):
            return not row.tags if name == "tag" else getattr(row, name) is None
        case Contains(text=text):
            return text.casefold() in row.reason.casefold()
        case Between(high=datetime() as high):
            return row.updated_at <= high
        case Between(low=low):
            return row.risk is not None and RISKS.index(row.risk) >= RISKS.index(str(low))
    raise AssertionError(where)


@hypothesis.settings(max_examples=60, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(where=FILTERS)
def test_any_filter_says_what_plain_python_says(
    views: Views, everything: tuple[RequestRow, ...], where: Filter
) -> None:
    found = {row.request_id for row in views.requests(where, limit=1_000).items}
    assert found == {row.request_id for row in everything if holds(where, row)}
    assert json.loads(where.model_dump_json())["op"]


def test_lead_times_add_up(views: Views, everything: tuple[RequestRow, ...]) -> None:
    took = [(row.executed_at - row.created_at).total_seconds() for row in everything if row.executed_at]
    (by_day,) = [each for each in views.lead_times("day") if each.group == START.replace(hour=0, minute=0)][:1]
    total = views.lead_times("mutation_type")
    assert sum(each.requests for each in total) == len(took)
    assert sum(each.mean * each.requests for each in total) == pytest.approx(sum(took))
    assert by_day.p50 <= by_day.p90 <= by_day.p99
    assert views.lead_times(since=datetime(2030, 1, 1, tzinfo=UTC)) == ()
    with pytest.raises(InputError):
        views.lead_times(milestone="dreamt")
