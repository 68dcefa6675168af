"""Snapshots that somebody has forged: they may be shown, but nothing is decided on them, and nothing runs."""

from collections.abc import Iterator
from typing import Any

import pytest

from governance import Governance, InvalidTransitionError, Status
from governance.audit.replay import Replay
from governance.domain.evolution import replay
from governance.domain.story import Story
from governance.event_store.audit_connection import AuditConnection
from governance.event_store.audit_rows import AuditRows
from governance.settings import Settings
from governance.streams import request_stream
from tests.cases import ALAN, EDSGER, GRACE, WORKER, Add, Counter
from tests.contract.test_long_streams import lengthened, rows_read
from tests.snapshot_cases import LONG, TWO_LEADS, forged, long_request, looked, opened, snapshot

pytestmark = pytest.mark.as_application


@pytest.fixture
def kept(store_url: str) -> str:
    """Give the id of a long request of which there is a snapshot."""
    with opened(store_url) as gov:
        asked = long_request(gov)
    assert looked(store_url, asked)["version"] == LONG
    assert snapshot(store_url, asked)
    return asked


@pytest.fixture
def fresh(store_url: str) -> Iterator[Governance]:
    """Another program, which has nothing in memory."""
    with opened(store_url) as gov:
        yield gov


def approved_by_nobody(body: dict[str, Any]) -> None:
    body["status"] = "approved"
    body["requirements"][0]["status"] = "satisfied"


def of_another_mutation(body: dict[str, Any]) -> None:
    body["mutation"]["payload"]["amount"] = 1_000


def test_forged_approval_is_shown_and_does_not_run(kept: str, store_url: str, fresh: Governance) -> None:
    forged(store_url, kept, approved_by_nobody)
    head = fresh.log.head()
    assert fresh.request(kept).status is Status.APPROVED, "the forged snapshot was not even read"
    with pytest.raises(InvalidTransitionError):
        fresh.execute(kept, actor=WORKER)
    with pytest.raises(InvalidTransitionError), opened(store_url) as other:
        other.execute(kept, actor=WORKER)
    with opened(store_url, settings=Settings(execute_automatically="all")) as other:
        assert other.request(kept).status is Status.APPROVED
        other.run_due()
    assert (fresh.log.head(), fresh.state("c").version) == (head, 0)
    assert fresh.request(kept).status is Status.PENDING, "what was read for the execution is what is shown from then on"


def test_forged_vote_counts_for_nothing(store_url: str) -> None:
    with opened(store_url) as gov:
        asked = long_request(gov, "c", EDSGER)
    looked(store_url, asked)

    def twice(body: dict[str, Any]) -> None:
        vote = body["requirements"][0]["votes"][0]
        body["requirements"][0]["votes"].append({**vote, "approver": "barbara", "cast_by": "barbara"})
        body["requirements"][0]["asked"]["quorum"] = 3

    def gone(body: dict[str, Any]) -> None:
        body["requirements"][0]["votes"] = []

    for forgery in (twice, gone):
        forged(store_url, asked, forgery)
    with opened(store_url) as gov:
        assert gov.request(asked).requirements[0].granted_by == ()
        assert gov.approve(asked, actor=ALAN).status is Status.APPROVED
        assert gov.request(asked).requirements[0].granted_by == ("edsger", "alan")


@pytest.mark.parametrize("looks_first", [True, False])
def test_forged_mutation_is_not_the_one_that_runs(store_url: str, looks_first: bool) -> None:
    with opened(store_url) as gov:
        asked = long_request(gov, "c", ALAN, EDSGER)
    looked(store_url, asked)
    forged(store_url, asked, of_another_mutation)
    with opened(store_url) as gov:
        if looks_first:
            assert gov.request(asked).mutation.payload["amount"] == 1_000
        outcome = gov.execute(asked, actor=WORKER)
        assert outcome.executed
        assert outcome.request.mutation.payload["amount"] == 1
        assert gov.state("c").value == Counter(value=1)
        assert gov.request(asked) == replay(gov.history(asked))


def test_forged_approval_does_not_run_in_a_batch(store_url: str) -> None:
    with opened(store_url) as gov:
        items = [{"mutation": Add(amount=1), "state_id": name, "requires": (TWO_LEADS,)} for name in "ab"]
        for atomic in (True, False):
            batch = gov.submit_batch(items, atomic=atomic, actor=GRACE, reason="r")
            asked = batch.requests[0].id
            gov.comment(asked, actor=GRACE, text="still waiting")
            lengthened(gov, request_stream(asked), LONG)
            looked(store_url, asked)
            forged(store_url, asked, approved_by_nobody)
            with opened(store_url) as other:
                assert other.request(asked).status is Status.APPROVED
                assert_not_executed(other, batch.id)
        assert (gov.state("a").version, gov.state("b").version) == (0, 0)


def assert_not_executed(gov: Governance, batch_id: str) -> None:
    try:
        assert not gov.execute_batch(batch_id, actor=WORKER).executed
    except InvalidTransitionError:
        return


def test_undoing_a_forged_execution_is_refused(kept: str, store_url: str, fresh: Governance) -> None:
    def executed(body: dict[str, Any]) -> None:
        body.update(status="executed", resulting_version=1)

    forged(store_url, kept, executed)
    assert fresh.request(kept).status is Status.EXECUTED
    with pytest.raises(InvalidTransitionError):
        fresh.compensate(kept, actor=GRACE, reason="wrong")


def test_history_and_audits_do_not_look_at_snapshots(kept: str, store_url: str, fresh: Governance) -> None:
    told = replay(fresh.history(kept))
    forged(store_url, kept, approved_by_nobody)
    assert fresh.request(kept, version=LONG) == replay(fresh.history(kept)) == told
    assert told is not None
    assert fresh.request(kept, at=told.updated_at) == told
    with AuditConnection(store_url) as connection:
        assert Replay(AuditRows(connection)).request(kept) == told


def test_log_alone_says_what_is_decided_on(kept: str, fresh: Governance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command reads all events of a long request, once, whoever has looked at it before."""
    assert isinstance(fresh.request(kept).decisions, Story)
    rows = rows_read(fresh, monkeypatch)
    fresh.comment(kept, actor=ALAN, text="seen")
    assert rows == [LONG]
    assert not isinstance(fresh.request(kept).decisions, Story)
    fresh.approve(kept, actor=ALAN)
    assert sum(rows) == LONG
