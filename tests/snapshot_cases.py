"""Long requests, and what other programs, and forgers, do to their snapshots."""

import json
from collections.abc import Callable
from typing import Any

from governance import Actor, Governance, approval
from governance.domain.evolution import replay
from governance.domain.story import Story
from governance.event_store.snapshots import Snapshot
from governance.streams import request_stream
from tests.cases import GRACE, MUTATIONS, Add
from tests.contract.test_long_streams import lengthened

LONG = 60
TWO_LEADS = approval(role="lead", quorum=2)


def opened(url: str, **more: Any) -> Governance:
    return Governance.open(url, mutations=MUTATIONS, **more)


def long_request(gov: Governance, state_id: str = "c", *approvers: Actor) -> str:
    """Return the id of a request that waits for two leads, about which much was said, and which some have approved."""
    asked = gov.submit(Add(amount=1), state_id=state_id, actor=GRACE, reason="r", requires=(TWO_LEADS,))
    gov.comment(asked.id, actor=GRACE, text="still waiting")
    lengthened(gov, request_stream(asked.id), LONG)
    for each in approvers:
        gov.approve(asked.id, actor=each)
    return asked.id


def looked(url: str, request_id: str) -> dict[str, Any]:
    """Return a request as a program that has nothing in memory sees it."""
    with opened(url) as gov:
        request = gov.request(request_id)
        assert request == replay(gov.history(request_id))
        document: dict[str, Any] = json.loads(request.model_dump_json())
        return document


def snapshot(url: str, request_id: str) -> Snapshot | None:
    """Return the snapshot of a request, None when there is none."""
    with opened(url) as gov:
        return gov.log.event_recorder.snapshots().find(request_stream(request_id))


def from_snapshot(url: str, request_id: str) -> bool:
    """Return whether a program that has nothing in memory reads the snapshot instead of the events."""
    with opened(url) as gov:
        return isinstance(gov.request(request_id).decisions, Story)


def forged(url: str, request_id: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what the snapshot of a request says, behind the back of the product."""
    found = snapshot(url, request_id)
    assert found is not None
    body = json.loads(found.body)
    change(body)
    with opened(url) as gov:
        changed = found._replace(body=json.dumps(body))
        gov.log.event_recorder.snapshots().put(changed, instead_of=found.version)
