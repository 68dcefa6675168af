"""Killed at any point of a request's life, or cut off from the server: a step has happened or not, never half."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from governance import AlreadyExecutedError, Governance, Recorded, Status
from governance.domain.events import Created, Executed, StateChanged
from governance.domain.evolution import replay
from tests.cases import GRACE, WORKER, Add, GrantAdmin, lead
from tests.processes import race
from tests.torture.programs import opened
from tests.torture.test_recorder_outcomes import Fault, Proxy

TRIALS = 102

WHOLE = {
    ("Created", "PoliciesEvaluated", "PendingApproval", "KeyClaimed"),
    ("ApprovalGranted",),
    ("ApprovalGranted", "QuorumReached", "Approved"),
    ("VersionResolved", "Executed", "StateChanged"),
    ("Created", "PoliciesEvaluated", "Approved"),
    ("VersionResolved", "Executed", "StateChanged", "Compensated"),
    ("Created", "PoliciesEvaluated", "Approved", "KeyClaimed", "VersionResolved", "Executed", "StateChanged"),
    ("Commented",),
}
"""What each step of a life stores; anything else is half a step."""


def everything(gov: Governance) -> list[Recorded]:
    """Return all events of the store."""
    events: list[Recorded] = []
    while page := gov.log.feed(events[-1].position or 0 if events else 0, 1_000):
        events += page
    return events


def test_killed_anywhere_a_step_is_there_wholly_or_not_at_all(store_url: str) -> None:
    opened(store_url).close()
    [ending] = race("tests.torture.programs:crash", [{"url": store_url, "trials": TRIALS}], seconds=240)
    assert ending.error is None, ending.traceback
    trials: Any = ending.returned
    assert len({len(each["told"]) for each in trials}) > 5, "the kills have to be spread over the whole life"
    with opened(store_url) as gov:
        steps: dict[str, list[str]] = defaultdict(list)
        for each in everything(gov):
            steps[each.append_id].append(type(each.event).__name__)
        for kinds in steps.values():
            assert tuple(sorted(kinds)) in {tuple(sorted(whole)) for whole in WHOLE}
        for trial in trials:
            acknowledged(gov, trial["told"])
        goes_on_everywhere(gov)


def acknowledged(gov: Governance, told: list[str]) -> None:
    """Check that all that was acknowledged is there."""
    ids = [line.split()[1] for line in told if " " in line and line.split()[0] in {"submitted", "compensation"}]
    words = {line.split()[0] for line in told}
    if not ids:
        return
    history = gov.history(ids[0])
    kinds = [type(each.event).__name__ for each in history]
    for word, kind in (("executed", "Executed"), ("compensated", "Compensated"), ("commented", "Commented")):
        assert word not in words or kind in kinds
    assert kinds.count("ApprovalGranted") >= sum(1 for line in told if line.startswith("approved"))
    assert replay(history) == gov.request(ids[0])


def goes_on_everywhere(gov: Governance) -> None:
    """Finish whatever was begun; then each state has moved once for each request that was executed, in order."""
    requests = [each.stream.partition("-")[2] for each in everything(gov) if isinstance(each.event, Created)]
    for request_id in requests:
        request = gov.request(request_id)
        for name in ("alan", "edsger"):
            if request.status is Status.PENDING and not request.requirements[0].vote_of(name):
                request = gov.approve(request_id, actor=lead(name))
        if request.status is Status.APPROVED:
            assert gov.execute(request_id, actor=WORKER).executed
        with pytest.raises(AlreadyExecutedError):
            gov.execute(request_id, actor=WORKER)
    versions: dict[str, list[int]] = defaultdict(list)
    executed: dict[str, int] = defaultdict(int)
    for each in everything(gov):
        if isinstance(each.event, StateChanged):
            versions[each.stream].append(each.version)
        if isinstance(each.event, Executed):
            executed[f"governedState-{each.event.state_id}"] += 1
    assert {stream: len(each) for stream, each in versions.items()} == dict(executed)
    assert all(each == list(range(1, len(each) + 1)) for each in versions.values())


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    opened(postgres_url).close()
    proxy = Proxy(postgres_url)
    yield proxy
    proxy.close()


def test_lost_answer_of_a_commit_is_a_success_and_no_double(proxy: Proxy, postgres_url: str) -> None:
    with opened(proxy.url, budget_seconds=10) as gov, opened(postgres_url) as direct:
        for number in range(20):
            life_with_lost_answers(proxy, gov, direct, f"s{number}")
        assert direct.state("counter").version == 20


def life_with_lost_answers(proxy: Proxy, gov: Governance, direct: Governance, state_id: str) -> None:
    """Lead a life in which every single answer is lost on its way."""

    def cut(call: Any) -> Any:
        proxy.fault = Fault.AFTER
        answer = call()
        assert proxy.fault is None, "nothing was cut"
        return answer

    request = cut(lambda: gov.submit(GrantAdmin(user="ada"), state_id=state_id, actor=GRACE, reason="r"))
    cut(lambda: gov.approve(request.id, actor=lead("alan")))
    assert cut(lambda: gov.approve(request.id, actor=lead("edsger"))).status is Status.APPROVED
    assert cut(lambda: gov.execute(request.id, actor=WORKER)).executed
    undo = cut(lambda: gov.compensate(request.id, actor=GRACE, reason="r"))
    assert cut(lambda: gov.execute(undo.id, actor=WORKER)).executed
    cut(lambda: gov.comment(request.id, actor=GRACE, text="done"))
    assert cut(lambda: gov.run(Add(amount=1), state_id="counter", actor=GRACE, reason="r")).executed
    assert [type(each.event).__name__ for each in direct.history(request.id)] == [
        "Created", "PoliciesEvaluated", "PendingApproval", "ApprovalGranted", "ApprovalGranted", "QuorumReached",
        "Approved", "VersionResolved", "Executed", "Compensated", "Commented",
    ]  # fmt: skip
    assert len(direct.history(undo.id)) == 5
    assert direct.state(state_id).version == 2
    assert gov.request(request.id) == direct.request(request.id)
