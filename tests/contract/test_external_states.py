"""States that live in another system: begun first, written there once, and settled by asking when it broke off."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from governance import (
    ConfigurationError,
    ExecutionBrokenOffError,
    ExecutionInDoubtError,
    Governance,
    InvalidTransitionError,
    Status,
    StoreUnavailableError,
)
from governance.domain.events import ExecutionStarted, ExternalStateChanged
from tests.audit_stores import makes_sense
from tests.effect_cases import Account
from tests.external_cases import GRACE, WORKER, ClosePort, Files, Firewall, OpenPort, asked_for, opened


@pytest.fixture
def store(tmp_path: Path) -> Files:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return Files(folder)


def names(gov: Governance, request: str) -> list[str]:
    return [type(each.event).__name__ for each in gov.history(request)]


def versions(gov: Governance, state_id: str = "edge") -> list[tuple[str, bool]]:
    """Return what the log knows of a state: what its store calls each version, and whether a request made it."""
    changed = [each.event for each in gov.state_history(state_id)]
    return [
        (each.external_version, bool(each.request_id)) for each in changed if isinstance(each, ExternalStateChanged)
    ]


def test_execution_says_first_what_it_is_about_to_do_and_then_what_it_did(store_url: str, store: Files) -> None:
    with opened(store_url, store) as gov:
        request = asked_for(gov)
        outcome = gov.execute(request, actor=WORKER)
        assert (outcome.executed, outcome.resulting_version) == (True, 1)
        assert names(gov, request)[-3:] == ["VersionResolved", "ExecutionStarted", "Executed"]
        assert store.versions("edge")[-1]["value"] == {"ports": [443]}
        assert gov.state("edge").value == Firewall(ports=(443,))
        assert versions(gov) == [("v1", True)]
        assert [each.payload for each in gov.request(request).effects] == [{"port": 443}]
        again = gov.run(OpenPort(port=80), state_id="edge", actor=GRACE, reason="r")
        assert (again.executed, again.resulting_version) == (True, 2)
        assert makes_sense(store_url) == ()


def test_state_that_was_there_before_is_seen_and_kept_in_the_log(store_url: str, store: Files) -> None:
    store.put("edge", {"ports": [22]})
    with opened(store_url, store) as gov:
        assert gov.state("edge").value == Firewall(ports=(22,))
        assert versions(gov) == [], "looking stores nothing"
        gov.submit(OpenPort(port=443), state_id="edge", actor=GRACE, reason="r", mode="simulate")
        assert versions(gov) == []
        request = asked_for(gov)
        assert gov.request(request).evaluated_version == 1
        gov.execute(request, actor=WORKER)
        assert versions(gov) == [("v1", False), ("v2", True)]
        assert gov.state("edge", version=1).value == Firewall(ports=(22,))
        assert makes_sense(store_url) == ()


def test_change_made_elsewhere_after_submission_is_drift_like_any_other(store_url: str, store: Files) -> None:
    with opened(store_url, store) as gov:
        store.put("edge", {"ports": []})
        strict = gov.submit(OpenPort(port=443), state_id="edge", actor=GRACE, reason="r", stale="reject").id
        other, invalid = asked_for(gov, 80), asked_for(gov, 22)
        store.put("edge", {"ports": [22]})
        assert gov.execute(strict, actor=WORKER).request.status is Status.REJECTED
        assert gov.execute(other, actor=WORKER).executed
        assert gov.execute(invalid, actor=WORKER).request.end_code == "validation-failed"
        assert store.versions("edge")[-1]["value"] == {"ports": [22, 80]}
        assert makes_sense(store_url) == ()


def test_write_that_lost_against_somebody_else_fails_and_can_be_tried_again(store_url: str, store: Files) -> None:
    with opened(store_url, store) as gov:
        request = asked_for(gov)

        def meddle(point: str) -> None:
            if point == "before the write":
                store.at = lambda _: None
                store.put("edge", {"ports": [22]})

        store.at = meddle
        outcome = gov.execute(request, actor=WORKER)
        assert not outcome.executed
        assert outcome.request.status is Status.APPROVED
        assert outcome.request.started is None
        assert gov.execute(request, actor=WORKER).executed
        assert store.versions("edge")[-1]["value"] == {"ports": [22, 443]}
        assert makes_sense(store_url) == ()


@pytest.mark.parametrize("point", ["before the write", "after the write"])
def test_store_that_breaks_off_leaves_a_doubt_that_is_settled_by_asking(
    store_url: str, store: Files, point: str
) -> None:
    with opened(store_url, store) as gov:
        request = in_doubt(gov, store, point)
        for call in (gov.execute, gov.cancel):
            with pytest.raises(ExecutionInDoubtError):
                call(request, actor=GRACE)
        gov.comment(request, actor=GRACE, text="what now?")
        store.asked.clear()
        assert gov.reconcile(request, actor=WORKER).status is Status.EXECUTED
        assert store.asked[0] == "outcome", "it asks before anything else"
        assert [each["value"] for each in store.versions("edge")] == [{"ports": [443]}]
        assert versions(gov) == [("v1", True)]
        assert names(gov, request).count("Executed") == 1
        with pytest.raises(InvalidTransitionError):
            gov.reconcile(request, actor=WORKER)
        assert makes_sense(store_url) == ()


def test_doubt_about_what_can_not_have_been_written_is_a_failure_and_the_request_goes_on(
    store_url: str, store: Files
) -> None:
    with opened(store_url, store) as gov:
        request = in_doubt(gov, store, "before the write")
        store.put("edge", {"ports": [22]})
        assert gov.reconcile(request, actor=WORKER).status is Status.APPROVED
        assert names(gov, request)[-1] == "ExecutionFailed"
        assert gov.execute(request, actor=WORKER).executed
        assert store.versions("edge")[-1]["value"] == {"ports": [22, 443]}


def test_doubt_stays_as_long_as_the_store_does_not_answer(store_url: str, store: Files) -> None:
    with opened(store_url, store) as gov:
        request = in_doubt(gov, store, "after the write")
        store.at = breaking("outcome")
        with pytest.raises(StoreUnavailableError, match="nobody is there"):
            gov.reconcile(request, actor=WORKER)
        assert gov.request(request).started is not None


def test_what_was_written_is_recorded_even_if_others_saw_it_first(store_url: str, store: Files) -> None:
    with opened(store_url, store) as gov:
        request = in_doubt(gov, store, "after the write")
        other = asked_for(gov, 80)
        assert gov.request(other).evaluated_version == 1
        gov.reconcile(request, actor=WORKER)
        assert gov.request(request).resulting_version == 1
        assert gov.execute(other, actor=WORKER).resulting_version == 2
        assert versions(gov) == [("v1", False), ("v2", True)]
        assert makes_sense(store_url) == ()


def test_writer_that_comes_back_after_reconciliation_changes_nothing(store_url: str, store: Files) -> None:
    with opened(store_url, store) as gov, opened(store_url, Files(store._folder)) as other:
        request = asked_for(gov)

        def stalled(point: str) -> None:
            if point == "before the write":
                store.at = lambda _: None
                assert other.reconcile(request, actor=WORKER).status is Status.EXECUTED

        store.at = stalled
        assert gov.execute(request, actor=WORKER).request.status is Status.EXECUTED
        assert len(store.versions("edge")) == 1
        assert names(gov, request).count("Executed") == 1
        assert versions(gov) == [("v1", True)]


def test_compensation_goes_the_same_way(store_url: str, store: Files) -> None:
    with opened(store_url, store) as gov:
        request = asked_for(gov)
        gov.execute(request, actor=WORKER)
        undo = gov.compensate(request, actor=GRACE, reason="wrong port")
        assert gov.execute(undo.id, actor=WORKER).executed
        assert gov.request(request).status is Status.COMPENSATED
        assert store.versions("edge")[-1]["value"] == {"ports": []}
        gov.execute(asked_for(gov, 80), actor=WORKER)
        assert makes_sense(store_url) == ()


def test_pass_over_what_is_due_settles_doubts(store_url: str, store: Files) -> None:
    with opened(store_url, store) as gov:
        request = in_doubt(gov, store, "after the write")
        assert gov.run_due().count("executed") == 0, "whoever began it may still be at it"
        gov.run_due(gov._clock() + timedelta(minutes=1))
        assert gov.request(request).status is Status.EXECUTED


def test_states_elsewhere_are_not_part_of_one_transaction(store_url: str, store: Files) -> None:
    with opened(store_url, store) as gov:
        items = [{"mutation": OpenPort(port=port), "state_id": "edge"} for port in (80, 443)]
        together = gov.submit_batch(items, atomic=True, actor=GRACE, reason="r")
        with pytest.raises(ConfigurationError, match="another system"):
            gov.execute_batch(together.id, actor=WORKER)
        in_order = gov.submit_batch(items, atomic=False, actor=GRACE, reason="r")
        assert gov.execute_batch(in_order.id, actor=WORKER).executed
        assert store.versions("edge")[-1]["value"] == {"ports": [80, 443]}


@pytest.mark.parametrize("point", ["before the write", "after the write"])
def test_batch_in_order_with_a_doubt_in_it_waits_until_it_is_settled(store_url: str, store: Files, point: str) -> None:
    with opened(store_url, store) as gov:
        items = [{"mutation": OpenPort(port=port), "state_id": f"edge-{port}"} for port in (80, 443)]
        batch = gov.submit_batch(items, atomic=False, actor=GRACE, reason="r")
        gov.execute(batch.requests[0].id, actor=WORKER)
        store.at = breaking(point)
        for _ in range(2):
            with pytest.raises(ExecutionInDoubtError):
                gov.execute_batch(batch.id, actor=WORKER)
        assert [each.status for each in gov.batch(batch.id).requests] == [Status.EXECUTED, Status.APPROVED]
        store.at = lambda _: None
        gov.reconcile(batch.requests[1].id, actor=WORKER)
        assert gov.execute_batch(batch.id, actor=WORKER).executed
        assert [len(store.versions(f"edge-{port}")) for port in (80, 443)] == [1, 1]


def test_stores_that_cannot_work_are_refused_when_governance_is_opened(store_url: str, store: Files) -> None:
    class Strange(Files):
        state = Account  # type: ignore[assignment]

    def refused(*stores: object, match: str) -> None:
        with pytest.raises(ConfigurationError, match=match):
            Governance.open(store_url, mutations=[OpenPort, ClosePort], state_stores=stores)  # type: ignore[arg-type]

    refused("a text", match="is no StateStore")
    refused(Strange(store._folder), match="no mutation changes")
    refused(store, store, match="two stores")


def in_doubt(gov: Governance, store: Files, point: str) -> str:
    """Return the id of a request whose execution broke off at a point."""
    request = asked_for(gov)
    store.at = breaking(point)
    with pytest.raises(ExecutionBrokenOffError, match="nobody is there"):
        gov.execute(request, actor=WORKER)
    store.at = lambda _: None
    assert isinstance(gov.history(request)[-1].event, ExecutionStarted)
    assert gov.request(request).status is Status.APPROVED
    return request


def breaking(point: str) -> Callable[[str], None]:
    def at(reached: str) -> None:
        if reached == point:
            raise ConnectionError("nobody is there")

    return at
