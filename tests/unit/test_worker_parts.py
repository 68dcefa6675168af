"""The parts of a worker, each with an engine that a test steers."""

from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Event
from uuid import UUID

import pytest

from governance.domain.errors import StoreUnavailableError
from governance.engines.engine import DueItem, Performed
from governance.ids import new_id
from governance.worker.duties import Duty, DutyRunner
from governance.worker.limits import WorkerLimits
from governance.worker.metrics import Metrics, Sample
from governance.worker.tracing import ItemSpan
from governance.worker.waking import Wake
from governance.worker.watching import asked_at
from tests.worker_cases import Steered, eventually, running


def test_items_of_one_group_are_performed_in_order_and_one_at_a_time() -> None:
    engine = Steered()
    engine.put(*(f"{number % 3}-{number}" for number in range(60)))
    with running(engine, size=4):
        eventually(lambda: len(engine.done) == 60)
    for group in "012":
        numbers = [int(key.partition("-")[2]) for key in engine.done if key.startswith(group)]
        assert numbers == sorted(numbers)
    assert engine.most_of_a_group == 1


def test_no_more_is_done_at_once_than_the_limit_allows() -> None:
    engine = Steered(seconds=0.01)
    engine.put(*(f"{number}-0" for number in range(60)))
    with running(engine, size=3):
        eventually(lambda: len(engine.done) == 60)
    assert engine.most <= 3


def test_crew_is_woken_and_does_not_wait_for_the_next_look() -> None:
    engine, wake = Steered(), Wake()
    with running(engine, wake=wake, poll_seconds=30):
        eventually(lambda: engine.looks > 0)
        engine.put("a-0")
        wake.announce()
        eventually(lambda: engine.done == ["a-0"])


def test_crew_goes_on_after_the_store_was_away() -> None:
    engine = Steered()
    engine.trouble = StoreUnavailableError("gone for lunch")
    with running(engine) as crew:
        eventually(lambda: crew.problem is not None)
        engine.trouble = None
        engine.put("a-0")
        eventually(lambda: engine.done == ["a-0"])
        assert crew.problem is None


def test_error_of_one_item_keeps_no_other_from_its_turn() -> None:
    engine, metrics = Steered(), Metrics()
    engine.broken = {"a-0"}
    engine.put("a-0", "a-1", "b-0")
    with running(engine, metrics=metrics):
        eventually(lambda: len(engine.done) == 2)
        assert metrics.total("governance_worker_troubles_total", part="steered") >= 1


def test_crew_told_to_stop_finishes_what_it_has_begun_and_nothing_else() -> None:
    engine = Steered(seconds=0.2)
    engine.put(*(f"{number}-0" for number in range(8)))
    with running(engine, size=2) as crew:
        eventually(lambda: engine.begun == 2)
        crew.stop()
        assert crew.idle(10)
    assert len(engine.done) == engine.begun == 2


def test_duty_is_begun_again_after_an_error() -> None:
    runs: list[int] = []

    def run(stop: Event) -> None:
        runs.append(1)
        if len(runs) < 3:
            raise ValueError("not today")
        stop.wait()

    runner = DutyRunner(Duty("steered", run), Metrics())
    runner.start()
    eventually(lambda: len(runs) == 3)
    runner.stop()
    assert runner.ended(10)
    assert runner.problem in (None, "ValueError: not today")


def test_metrics_are_in_the_text_format_of_prometheus() -> None:
    def broken() -> Iterator[Sample]:
        raise ValueError("no")
        yield

    metrics = Metrics([lambda: [Sample("governance_head", "The position", 7, {"odd": 'a"b\\c\nd'})], broken])
    item = DueItem(engine="e", key="k", due_at=datetime(2026, 1, 1, tzinfo=UTC))
    for took in (0.004, 0.3, 1e6):
        metrics.performed("e", Performed(item=item, result="done", what="w"), took_seconds=took, late_seconds=took)
    lines = metrics.text().splitlines()
    assert 'governance_worker_items_total{engine="e",result="done",what="w"} 3' in lines
    assert 'governance_worker_seconds_bucket{engine="e",le="0.005"} 1' in lines
    assert 'governance_worker_seconds_bucket{engine="e",le="0.5"} 2' in lines
    assert 'governance_worker_seconds_bucket{engine="e",le="+Inf"} 3' in lines
    assert 'governance_worker_seconds_count{engine="e"} 3' in lines
    assert r'governance_head{odd="a\"b\\c\nd"} 7' in lines
    assert "governance_worker_silent_sources 1" in lines
    assert lines.count("# TYPE governance_worker_items_total counter") == 1


def test_id_of_a_request_tells_when_it_was_asked_for() -> None:
    now = datetime(2026, 3, 2, 9, 30, 15, 123000, tzinfo=UTC)
    assert asked_at(f"mutationRequest-{new_id(now)}") == now


def test_trace_of_a_request_has_the_request_s_own_id() -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    request = "0198a000-0000-7000-8000-000000000001"
    due = datetime(2026, 1, 1, tzinfo=UTC)
    first = ItemSpan(DueItem(engine="effects", key=f"{request}:0", due_at=due, request_id=request))
    second = ItemSpan(DueItem(engine="effects", key="k", due_at=due, request_id="no id"))
    for each in (first, second, first):  # one item may be worked on in pieces
        with each.current():
            assert trace.get_current_span() is each._span
    first.end()
    second.end()
    one, other = exporter.get_finished_spans()
    assert one.context is not None
    assert one.context.trace_id == UUID(request).int
    assert one.attributes is not None
    assert one.attributes["governance.request_id"] == request
    assert other.context is not None
    assert other.context.trace_id != UUID(request).int


def test_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOVERNANCE_WORKER_CONCURRENCY", '{"effects": 3}')
    monkeypatch.setenv("GOVERNANCE_WORKER_MAX_CONCURRENT_EXECUTIONS", "5")
    limits = WorkerLimits()
    assert (limits.size("effects"), limits.size("execution"), limits.size("expiry")) == (3, 5, 8)
