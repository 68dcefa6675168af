"""The worker on a real store: it does what is due, says how it is, and stops in good order."""

from threading import Event

import pytest

from governance.worker import Duty, Worker, WorkerLimits
from tests.effect_cases import Receiver, executed, opened
from tests.worker_cases import eventually, fetched

QUICK = WorkerLimits(poll_seconds=0.05, drain_seconds=10)


def test_worker_does_what_comes_up_and_says_how_it_is(store_url: str) -> None:
    receiver = Receiver()
    with opened(store_url, receiver.handler) as gov:
        worker = Worker(gov, engines=gov.engines, limits=QUICK)
        worker.start(health_port=0)
        requests = [executed(gov, f"s{number}") for number in range(5)]
        eventually(lambda: sorted(receiver.keys) == sorted(f"{request}:0" for request in requests))
        assert fetched(worker.port, "/health") == (200, "ok\n")
        eventually(lambda: fetched(worker.port, "/ready") == (200, "ok\n"))
        assert fetched(worker.port, "/nonsense")[0] == 404
        eventually(lambda: 'governance_worker_items_total{engine="effects"' in fetched(worker.port, "/metrics")[1])
        told = fetched(worker.port, "/metrics")[1].splitlines()
        for name in ("governance_outbox_oldest_seconds", "governance_head", 'governance_outbox{status="parked"}'):
            assert any(line.startswith(name) for line in told), name
        eventually(
            lambda: 'governance_decision_seconds_count{decision="approved"} 5' in fetched(worker.port, "/metrics")[1]
        )
        assert worker.drain()


def test_worker_says_that_it_is_not_ready_while_the_store_is_away(store_url: str) -> None:
    with opened(store_url, Receiver().handler) as gov:
        worker = Worker(gov, engines=gov.engines, limits=QUICK)
        worker.start(health_port=0)
        gov.log.close()
        eventually(lambda: fetched(worker.port, "/ready")[0] == 503)
        eventually(lambda: "effects" in fetched(worker.port, "/ready")[1])
        assert fetched(worker.port, "/health")[0] == 200, "starting it again would not help"
        assert worker.drain()


def test_worker_keeps_duties_up_and_tells_of_those_that_fail(store_url: str) -> None:
    def fail(_: Event) -> None:
        raise ValueError("no")

    with opened(store_url) as gov:
        worker = Worker(gov, engines=gov.engines, duties=[Duty("views", fail)], limits=QUICK)
        worker.start(health_port=0)
        eventually(lambda: "views: ValueError: no" in fetched(worker.port, "/ready")[1])
        assert worker.drain()


def test_port_that_is_taken_is_an_error_before_anything_is_begun(store_url: str) -> None:
    with opened(store_url, Receiver().handler) as gov:
        first = Worker(gov, engines=gov.engines, limits=QUICK)
        first.start(health_port=0)
        with pytest.raises(OSError, match="in use"):
            Worker(gov, engines=gov.engines, limits=QUICK).start(health_port=first.port)
        assert first.drain()


def test_worker_stopped_by_a_flag_has_finished(store_url: str) -> None:
    stop = Event()
    with opened(store_url, Receiver().handler) as gov:
        stop.set()
        assert Worker(gov, engines=gov.engines, limits=QUICK).run(stop)
