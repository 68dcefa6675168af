"""Replay from events alone: at every point what production showed then, on both databases."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from governance import Governance, NotFoundError, quota
from governance.audit.replay import Point, Replay, Wanted
from governance.domain.errors import GovernanceError
from governance.domain.quotas import Quota
from governance.domain.recorded import Recorded
from governance.event_store.audit_connection import AuditConnection
from governance.event_store.audit_rows import AuditRows
from governance.streams import category, request_stream, stream_id
from tests.cases import GRACE, MUTATIONS, ROOT, Add
from tests.histories import Play

COMMANDS = 60


@pytest.fixture
def played(store_url: str) -> str:
    with Play(store_url, 7) as play:
        play.commands(COMMANDS)
    return store_url


@pytest.fixture
def replay(played: str) -> Iterator[Replay]:
    with AuditConnection(played) as connection:
        yield Replay(AuditRows(connection))


def whole(url: str) -> list[Recorded]:
    with Play(url, 7) as play:
        return play.history()


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=some.integers(0, 2**32))
def test_replay_at_every_position_is_what_production_showed_then(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('play') / 'store.db'}"
    shown: dict[int, dict[str, Any]] = {}
    with Play(url, seed) as play:
        for _ in range(12):
            play.commands(2)
            shown[play.governance.log.head()] = everything(play.governance, play.history())
        with AuditConnection(url) as connection:
            replayed = Replay(AuditRows(connection))
            for position, then in shown.items():
                point = Point(position=position)
                again = {key: rebuilt(replayed, key, point) for key in then}
                assert again == then
                requests = {request_stream(each.id): each for each in replayed.requests(point)}
                assert requests == {key: value for key, value in then.items() if category(key) == "mutationRequest"}


def everything(governance: Governance, history: list[Recorded]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for stream in {each.stream for each in history}:
        if category(stream) == "mutationRequest":
            found[stream] = governance.request(stream_id(stream))
        elif category(stream) == "governedState":
            state = governance.state(stream_id(stream))
            found[stream] = (state.version, state.value.model_dump(mode="json"), state.digest, state.position)
    return found


def rebuilt(replayed: Replay, stream: str, point: Point) -> Any:
    if category(stream) == "mutationRequest":
        return replayed.request(stream_id(stream), point)
    state = replayed.state(stream_id(stream), point)
    return state.version, state.value, state.digest, state.position


def test_a_request_at_each_of_its_versions(played: str, replay: Replay) -> None:
    history = [each for each in whole(played) if category(each.stream) == "mutationRequest"]
    for recorded in history[:40]:
        at_version = replay.request(stream_id(recorded.stream), Point(version=recorded.version))
        assert (at_version.version, at_version.position) == (recorded.version, recorded.position)


def test_a_request_at_an_instant(played: str, replay: Replay) -> None:
    first = whole(played)[0]
    request_id = stream_id(first.stream)

    assert replay.request(request_id, Point(at=first.at)).updated_at == first.at
    with pytest.raises(NotFoundError):
        replay.request(request_id, Point(at=first.at - timedelta(microseconds=1)))


def test_a_state_at_an_instant_is_what_production_says(played: str, replay: Replay) -> None:
    with Play(played, 1) as play:
        for recorded in (each for each in play.history() if category(each.stream) == "governedState"):
            state_id = stream_id(recorded.stream)
            production = play.governance.state(state_id, at=recorded.at)
            assert replay.state(state_id, Point(at=recorded.at)).version == production.version


def test_a_state_that_does_not_exist_has_version_0(replay: Replay) -> None:
    assert replay.state("nobody:knows").version == 0


def test_steps_tell_what_each_event_changed(played: str, replay: Replay) -> None:
    for stream in {each.stream for each in whole(played)}:
        steps = list(replay.steps(stream))
        assert [each.recorded for each in steps] == [each for each in whole(played) if each.stream == stream]
        if category(stream) == "mutationRequest":
            paths = {change.path for each in steps[1:] for change in each.changes}
            assert paths
            assert not paths & {"/version", "/position", "/updated_at"}


def test_all_events_come_in_order(played: str, replay: Replay) -> None:
    assert list(replay.events()) == whole(played)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(types=("Created", "Executed")), lambda each: type(each.event).__name__ in {"Created", "Executed"}),
        (Wanted(categories=("governedState",)), lambda each: category(each.stream) == "governedState"),
        (Wanted(actors=("ada",)), lambda each: "ada" in each.by.people),
        (Wanted(correlations=("trip-1",)), lambda each: each.correlation_id == "trip-1"),
        (Wanted(after=10, upto=20), lambda each: 10 < each.position <= 20),
        (Wanted(types=("Created",), actors=("bob",)), lambda e: type(e.event).__name__ == "Created" and
            "bob" in e.by.people),
    ],
)  # fmt: skip
def test_filters(played: str, replay: Replay, wanted: Wanted, expected: Any) -> None:
    found = list(replay.events(wanted))

    assert found
    assert found == [each for each in whole(played) if expected(each)]


def test_the_filter_by_mutation_takes_all_that_belongs_to_such_requests(played: str, replay: Replay) -> None:
    history = whole(played)
    asked = {each.stream for each in history if getattr(each.event, "mutation", None) and each.version == 1
             and each.event.mutation.type == "remove"}  # type: ignore[union-attr]  # fmt: skip
    ids = {stream_id(stream) for stream in asked}

    found = list(replay.events(Wanted(mutations=("remove",))))

    assert found == [
        each for each in history if each.stream in asked or getattr(each.event, "request_id", None) in ids
    ]  # fmt: skip


def test_events_by_time_and_stream(played: str, replay: Replay) -> None:
    history = whole(played)
    middle = history[len(history) // 2]

    assert list(replay.events(Wanted(since=middle.at))) == [each for each in history if each.at >= middle.at]
    assert list(replay.events(Wanted(until=middle.at))) == [each for each in history if each.at <= middle.at]
    streams = (middle.stream,)
    assert list(replay.events(Wanted(streams=streams))) == [each for each in history if each.stream == middle.stream]


def test_the_iterator_is_lazy(played: str, replay: Replay) -> None:
    events = replay.events()

    assert next(events).position == 1
    assert iter(events) is events


def test_replay_loads_nothing_that_could_act() -> None:
    code = """
import sys
import governance.audit.replay
print([name for name in ("governance.application", "governance.execution", "governance.evaluation", "projections",
    "governance.cli", "typer", "urllib.request", "http.client") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_store_that_is_not_there_is_refused() -> None:
    with pytest.raises(GovernanceError, match="no store"):
        AuditConnection("sqlite:////no/such/store.db")


def test_a_quota_at_each_of_its_versions_and_step_by_step(store_url: str) -> None:
    shown: list[Quota] = []
    with Governance.open(store_url, mutations=MUTATIONS) as gov:
        gov.quotas.define("deploys", limit=3, per=timedelta(days=400), window="sliding", actor=ROOT)
        shown.append(gov.quotas.look("deploys"))
        for number in range(3):
            asked = gov.submit(
                Add(amount=1), state_id=f"n-{number}", actor=GRACE, reason="r", requires=[quota("deploys")]
            )
            gov.run_due()
            assert gov.request(asked.id).resulting_version == 1
            shown.append(gov.quotas.look("deploys"))
    with AuditConnection(store_url) as connection:
        replay = Replay(AuditRows(connection))
        assert [replay.quota("deploys", Point(version=each.version)) for each in shown] == shown
        assert [len(each.reservations) for each in shown] == [0, 1, 2, 3]
        steps = list(replay.steps("quota-deploys"))
        assert [each.recorded.type for each in steps] == ["QuotaDefined", *["TokensReserved"] * 3]
        assert all(any("reservations" in change.path for change in each.changes) for each in steps[1:])
        assert replay.quota("none") == Quota(key="none")
