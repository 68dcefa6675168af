"""Two programs do the same at the same instant, hundreds of times: one wins, the other is told, nothing is lost."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from governance import Governance, Status
from governance.domain.events import ApprovalGranted, Approved, Executed, QuorumReached, Rejected, StateChanged
from tests.cases import GRACE, WORKER, Add, GrantAdmin, lead
from tests.processes import processes
from tests.torture.programs import opened

pytestmark = pytest.mark.as_application

LOST = {"AlreadyExecutedError", "ConcurrencyError"}


def at_once(url: str, *acts: dict[str, Any]) -> list[tuple[str, ...]]:
    """Let programs act on one request after the other, all at the same instant; return their answers by request."""
    with processes("tests.torture.programs:act", [{"url": url, **each} for each in acts]) as racers:
        for racer in racers:
            racer.start()
        for number in range(len(acts[0]["requests"])):
            for racer in racers:
                racer.wait_until(str(number))
            for racer in racers:
                racer.start()
        endings = [racer.ending() for racer in racers]
    assert not any(each.error for each in endings), [each.traceback for each in endings]
    return list(zip(*(each.returned for each in endings), strict=True))


def contiguous(gov: Governance, state_id: str, requests: set[str]) -> None:
    """Check that the state moved once for each request, and no version was skipped or used twice."""
    history = gov.state_history(state_id)
    assert [each.version for each in history] == list(range(1, len(requests) + 1))
    changed = [each.event.request_id for each in history if isinstance(each.event, StateChanged)]
    assert Counter(changed) == Counter(requests)


def submit(gov: Governance, state_id: str) -> str:
    """Return the id of an approved request."""
    return gov.submit(Add(amount=1), state_id=state_id, actor=GRACE, reason="r").id


def test_request_that_two_execute_runs_once(store_url: str) -> None:
    with opened(store_url) as gov:
        own = {submit(gov, f"own-{number}"): f"own-{number}" for number in range(100)}
        hot = {submit(gov, "hot"): "hot" for _ in range(100)}
        both = [request for pair in zip(own, hot, strict=True) for request in pair]
        for answers in at_once(store_url, *[{"what": "execute", "requests": both}] * 2):
            assert sorted(answers)[1] == "executed"
            assert sorted(answers)[0] in LOST
        contiguous(gov, "hot", set(hot))
        for request_id, state_id in own.items():
            contiguous(gov, state_id, {request_id})
        for request_id in both:
            executed = [each for each in gov.history(request_id) if isinstance(each.event, Executed)]
            assert len(executed) == 1
            assert gov.request(request_id).status is Status.EXECUTED
        assert gov.state("hot").value.value == 100


def test_last_place_of_a_quorum_goes_to_one(store_url: str) -> None:
    with opened(store_url) as gov:
        requests = []
        for number in range(200):
            request = gov.submit(GrantAdmin(user="ada"), state_id=f"s{number}", actor=GRACE, reason="r")
            gov.approve(request.id, actor=lead("first"))
            requests.append(request.id)
        acts = [{"what": "approve", "requests": requests, "who": who} for who in ("one", "other")]
        for answers in at_once(store_url, *acts):
            assert "approved" in answers
            assert set(answers) <= {"approved", "InvalidTransitionError", "ConcurrencyError", "AlreadyDecidedError"}
            assert answers.count("approved") == 1
        for request_id in requests:
            kinds = Counter(type(each.event) for each in gov.history(request_id))
            assert (kinds[ApprovalGranted], kinds[QuorumReached], kinds[Approved]) == (2, 1, 1)
            assert gov.request(request_id).status is Status.APPROVED


def test_yes_and_no_at_once_have_one_order(store_url: str) -> None:
    with opened(store_url) as gov:
        requests = []
        for number in range(60):
            request = gov.submit(GrantAdmin(user="ada"), state_id=f"s{number}", actor=GRACE, reason="r")
            gov.approve(request.id, actor=lead("first"))
            requests.append(request.id)
        acts = [{"what": what, "requests": requests, "who": what} for what in ("approve", "reject")]
        for request_id, answers in zip(requests, at_once(store_url, *acts), strict=True):
            status = gov.request(request_id).status
            assert answers in {("approved", "InvalidTransitionError"), ("InvalidTransitionError", "rejected")}
            assert status == (answers[0] if answers[0] == "approved" else "rejected")
            ended = [each for each in gov.history(request_id) if isinstance(each.event, Approved | Rejected)]
            assert len(ended) == 1


def test_what_is_canceled_does_not_run(store_url: str) -> None:
    with opened(store_url) as gov:
        requests = [submit(gov, f"s{number}") for number in range(100)]
        acts = [{"what": what, "requests": requests} for what in ("execute", "cancel")]
        for number, answers in enumerate(at_once(store_url, *acts)):
            request = gov.request(requests[number])
            executed = request.status is Status.EXECUTED
            assert gov.state(f"s{number}").version == (1 if executed else 0)
            assert answers[0 if executed else 1] == str(request.status)
            assert answers[1 if executed else 0] in {"InvalidTransitionError", "ConcurrencyError"}


def test_nothing_is_put_right_twice(store_url: str) -> None:
    with opened(store_url) as gov:
        pairs: list[tuple[str, str]] = []
        originals = []
        for number in range(100):
            original = gov.run(Add(amount=7), state_id=f"s{number}", actor=GRACE, reason="r").request.id
            one, other = (gov.compensate(original, actor=GRACE, reason="r").id for _ in range(2))
            originals.append(original)
            pairs.append((one, other))
        acts = [{"what": "execute", "requests": [pair[side] for pair in pairs]} for side in (0, 1)]
        for number, answers in enumerate(at_once(store_url, *acts)):
            assert sorted(answers) in (["executed", "rejected"], ["ConcurrencyError", "executed"])
            winner = pairs[number][answers.index("executed")]
            assert gov.request(originals[number]).links.compensated_by == winner
            loser = pairs[number][1 - answers.index("executed")]
            if gov.request(loser).status is Status.APPROVED:
                assert gov.execute(loser, actor=WORKER).request.end_code == "already-compensated"
            assert (gov.state(f"s{number}").version, gov.state(f"s{number}").value.value) == (2, 0)


def test_key_used_by_two_at_once_stands_for_one_request(store_url: str) -> None:
    with opened(store_url) as gov:
        keys = [f"key-{number}" for number in range(100)]
        for answers in at_once(store_url, *[{"what": "run", "requests": keys}] * 2):
            assert answers == ("executed", "executed")
        assert (gov.state("hot").version, gov.state("hot").value.value) == (100, 100)


@pytest.mark.parametrize("programs", [1, 2])
def test_hot_state_takes_everybody(store_url: str, programs: int) -> None:
    stores = [opened(store_url, budget_seconds=30) for _ in range(programs)]

    def work(number: int) -> list[bool]:
        gov = stores[number % programs]
        return [gov.run(Add(amount=1), state_id="hot", actor=GRACE, reason="r").executed for _ in range(25)]

    with ThreadPoolExecutor(8) as threads:
        assert all(executed for answers in threads.map(work, range(8)) for executed in answers)
    for gov in stores:
        state = gov.state("hot")
        assert (state.version, state.value.value) == (200, 200)
        assert [each.version for each in gov.state_history("hot")] == list(range(1, 201))
        gov.close()
