"""Several programs ask for the newest at once, approve it, and are killed: one waits at most, and no place is lost."""

import time
from typing import Any, ClassVar

from pydantic import JsonValue

from governance import Governance, GovernanceError, Mutation, MutationRequest, Status, approval
from governance.domain.events import PlaceTaken
from governance.streams import place_stream
from tests.cases import ALAN, GRACE, Counter
from tests.processes import processes

ROUNDS = 10
ASK, APPROVE = (f"tests.torture.test_newest_wins_races:{name}" for name in ("ask", "approve_what_waits"))
OPEN = {Status.PENDING, Status.APPROVED}


class SetTo(Mutation[Counter]):
    newest_wins: ClassVar[bool] = True
    value: int

    def apply(self, state: Counter) -> Counter:
        return Counter(value=self.value)


def opened(url: str) -> Governance:
    return Governance.open(url, mutations=[SetTo])


def ask(url: str, rounds: int) -> list[JsonValue]:
    """Ask again and again, and return the ids."""
    with opened(url) as gov:
        lead = (approval(role="lead"),)
        return [
            gov.submit(SetTo(value=number), state_id="c", actor=GRACE, reason="r", requires=lead).id
            for number in range(rounds)
        ]


def approve_what_waits(url: str, rounds: int) -> list[JsonValue]:
    """Approve whatever is the newest at the moment, and tell which that were."""
    approved: list[JsonValue] = []
    with opened(url) as gov:
        for _ in range(rounds):
            latest = gov.log.latest(place_stream("set_to", "c"))
            if latest and isinstance(latest[0].event, PlaceTaken):
                try:
                    approved.append(gov.approve(latest[0].event.request_id, actor=ALAN).id)
                except GovernanceError:
                    time.sleep(0.001)
    return approved


def competitors(gov: Governance) -> list[MutationRequest]:
    """Return everybody who competed for the place, in order."""
    events = [each.event for each in gov.log.stream(place_stream("set_to", "c"))]
    return [gov.request(each.request_id) for each in events if isinstance(each, PlaceTaken)]


def check(requests: list[MutationRequest], approved: set[Any]) -> None:
    """Check that at most the newest waits, that what was approved stays, and that all links have their partner."""
    by_id = {each.id: each for each in requests}
    assert len(by_id) == len(requests)
    assert [each.id for each in requests if each.status is Status.PENDING] in ([], [requests[-1].id])
    assert approved <= {each.id for each in requests if each.status is Status.APPROVED}
    for each in requests:
        assert (each.status is Status.SUPERSEDED) == (each.links.superseded_by is not None)
        assert each.status in {*OPEN, Status.SUPERSEDED}
        if each.links.superseded_by is not None:
            assert each.id in by_id[each.links.superseded_by].links.predecessors
        for other in each.links.predecessors:
            assert by_id[other].links.superseded_by == each.id


def test_programs_that_ask_and_approve_at_once_leave_one_that_waits(store_url: str) -> None:
    opened(store_url).close()
    work: list[dict[str, JsonValue]] = [{"url": store_url, "rounds": ROUNDS}]
    with processes(ASK, work * 3) as racers, processes(APPROVE, work) as deciders:
        for each in (*racers, *deciders):
            each.start()
        endings = [each.ending() for each in (*racers, *deciders)]
    assert not any(each.error for each in endings), [each.traceback for each in endings]
    returned: list[Any] = [each.returned for each in endings]
    with opened(store_url) as gov:
        requests = competitors(gov)
        assert {each.id for each in requests} == {key for keys in returned[:3] for key in keys}
        check(requests, set(returned[3]))


def test_programs_that_are_killed_while_they_ask_leave_nothing_half(store_url: str) -> None:
    with opened(store_url) as gov:
        for kill_after in (1, 3, 8):
            with processes(ASK, [{"url": store_url, "rounds": 1_000}] * 2) as racers:
                there = len(competitors(gov))
                for each in racers:
                    each.start()
                while len(gov.log.stream(place_stream("set_to", "c"))) < there + kill_after:
                    time.sleep(0.001)
                for each in racers:
                    each.kill()
        before = competitors(gov)
        check(before, set())
        asked = ask(store_url, 1)
        after = competitors(gov)
        assert [each.id for each in after[len(before) :]] == asked
        check(after, set())
