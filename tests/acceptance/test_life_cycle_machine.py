"""Whole lives of requests, at random, compared step by step with a naive model of the rules."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, precondition, rule

from governance import Actor, Governance, GovernanceError
from governance.domain.events import StateChanged
from governance.domain.evolution import replay
from tests import naive_model as naive
from tests.cases import HOUR, START
from tests.naive_board import (
    ASKS,
    MUTATIONS,
    PEOPLE,
    STATE,
    Board,
    actor,
    enough_people_approved,
    freeze_and_audit,
    partners_exist,
    requirement,
)
from tests.naive_execution import Executing


class LifeCycle(RuleBasedStateMachine):
    """Does the same to the product and to the model, and compares what comes of it."""

    requests = Bundle("requests")
    people = st.sampled_from(PEOPLE)
    kinds = st.sampled_from(sorted(MUTATIONS))

    def __init__(self) -> None:
        super().__init__()
        self.clock = START
        self.world = Executing(START)
        self.ids: dict[int, str] = {}
        self.touched: list[naive.Request] = []

        self.gov = Governance.open(
            "sqlite://", mutations=MUTATIONS.values(), policies=[freeze_and_audit], clock=lambda: self.clock
        )

    def teardown(self) -> None:
        self.gov.close()

    def both(self, model: Callable[[], Any], product: Callable[[], Any]) -> Any:
        """Do a thing to both; return what the product answered, None when both refused."""
        head = self.gov.log.head()
        refused: set[str] = set()
        told: GovernanceError | None = None
        expected = None
        try:
            expected = model()
        except naive.RefusedError as error:
            refused = error.reasons
        try:
            answer = product()
        except GovernanceError as error:
            told, answer = error, None
        if told is not None:
            assert type(told).__name__ in refused, f"{told!r}, but expected {refused or expected}"
            assert self.gov.log.head() == head, "refused, but stored something"
            return None
        assert not refused, f"went through, but expected {refused}"
        return (expected, answer)

    @rule(target=requests, by=people, kind=kinds, text=st.sampled_from(["x", "y", "frozen"]),
          asks=st.lists(st.sampled_from(ASKS), max_size=2), strategy=st.sampled_from(["reject", "renew", "revalidate"]),
          hours=st.sampled_from([None, None, 1, 6]), old=st.none() | requests)  # fmt: skip
    def submit(
        self, by: naive.Person, kind: str, text: str, asks: list[naive.Ask], strategy: Any, hours: int | None, old: Any
    ) -> Any:
        expires = None if hours is None else self.clock + hours * HOUR
        request = naive.Request(by, naive.Change(kind, text), strategy, self.clock, self.clock, expires=expires)
        done = self.both(
            lambda: self.world.submit(request, asks, old),
            lambda: self.gov.submit(
                MUTATIONS[kind](text=text),  # type: ignore[call-arg]
                state_id=STATE,
                actor=actor(by),
                reason="r",
                requires=[requirement(ask) for ask in asks],
                stale=strategy,
                expires_at=expires,
                supersedes=None if old is None else self.ids[id(old)],
            ),
        )
        return multiple() if done is None else self.known(request, done[1].id, old)

    @rule(
        target=requests,
        by=people,
        kind=st.sampled_from(sorted(MUTATIONS)),
        text=st.sampled_from(["x", "y", "z", "frozen"]),
    )
    def run(self, by: naive.Person, kind: str, text: str) -> Any:
        request = naive.Request(by, naive.Change(kind, text), "revalidate", self.clock, self.clock)

        def model() -> bool:
            self.world.submit(request, [])
            return request.status == "approved" and self.world.execute(request) == "executed"

        mutation = MUTATIONS[kind](text=text)  # type: ignore[call-arg]
        done = self.both(model, lambda: self.gov.run(mutation, state_id=STATE, actor=actor(by), reason="r"))
        assert done[0] == done[1].executed
        return self.known(request, done[1].request.id)

    def known(self, request: naive.Request, request_id: str, *also: naive.Request | None) -> naive.Request:
        """Remember what a request of the model is called in the product."""
        self.ids[id(request)] = request_id
        self.touched = [request, *(each for each in also if each is not None)]
        return request

    @rule(request=requests, by=people, yes=st.sampled_from([True, True, True, False]),
          number=st.sampled_from([None, None, None, 0, 1, 2]))  # fmt: skip
    def decide(self, request: naive.Request, by: naive.Person, yes: bool, number: int | None) -> None:
        key = None if number is None else f"{request.round}.{number + 1}"
        call = self.gov.approve if yes else self.gov.reject
        self.both(
            lambda: self.world.decide(request, by, yes=yes, number=number),
            lambda: call(self.ids[id(request)], actor=actor(by), requirement=key),
        )
        self.touched = [request]

    @rule(request=requests, by=people, what=st.sampled_from(["withdraw", "withdraw", "cancel", "expire", "comment"]))
    def say(self, request: naive.Request, by: naive.Person, what: str) -> None:
        key, who = self.ids[id(request)], actor(by)
        match what:
            case "withdraw":
                self.both(lambda: self.world.withdraw(request, by), lambda: self.gov.withdraw(key, actor=who))
            case "cancel":
                self.both(lambda: self.world.cancel(request, by), lambda: self.gov.cancel(key, actor=who))
            case "expire":
                self.both(lambda: self.world.expire(request), lambda: self.gov.expire(key))
            case _:
                self.both(lambda: self.world.comment(request), lambda: self.gov.comment(key, actor=who, text="hm"))
        self.touched = [request]

    @precondition(lambda self: any(each.status == "pending" for each in self.world.requests))
    @rule(data=st.data())
    def get_approved(self, data: st.DataObject) -> None:
        """Let everybody say yes to something, so that executions are not rare."""
        waiting = [each for each in self.world.requests if each.status == "pending"]
        request = data.draw(st.sampled_from(waiting))
        for person in PEOPLE * 3:
            if request.status == "pending":
                self.decide(request, person, True, None)

    @rule(request=requests)
    def execute(self, request: naive.Request) -> None:
        key = self.ids[id(request)]
        preview = self.gov.preview(key) if request.status == "approved" else None
        done = self.both(lambda: self.world.execute(request), lambda: self.gov.execute(key, actor=Actor(id="worker")))
        if done is not None:
            how, outcome = done
            assert outcome.executed is (how == "executed"), f"{outcome.request.status}, but expected {how}"
            if preview is not None and outcome.resolution is not None:
                assert preview.outcome == outcome.resolution.outcome
        self.touched = [each for each in (request, request.compensates) if each is not None]

    @rule(target=requests, original=requests, by=people, kind=st.sampled_from(["restore", "corrective"]))
    def compensate(self, original: naive.Request, by: naive.Person, kind: Any) -> Any:
        done = self.both(
            lambda: self.world.compensate(original, by, kind),
            lambda: self.gov.compensate(self.ids[id(original)], actor=actor(by), reason="r", kind=kind),
        )
        return multiple() if done is None else self.known(done[0], done[1].id, original)

    @rule(minutes=st.sampled_from([-30, 1, 60, 60, 180, 600]))
    def time_passes(self, minutes: int) -> None:
        self.clock += timedelta(minutes=minutes)
        self.world.now = self.clock

    @invariant()
    def both_know_the_same(self) -> None:
        for known in self.touched:
            key = self.ids[id(known)]
            request, history = self.gov.request(key), self.gov.history(key)
            assert replay(history) == request
            told = (str(request.status), request.round, request.evaluated_version, request.resulting_version)
            expected = (known.status, known.round, known.evaluated, known.result)
            assert told == expected, f"{told}, but expected {expected}"
            assert request.end_code == known.end, f"{request.end_code}, but expected {known.end}"
            assert request.links.compensated_by == (
                self.ids[id(known.compensated_by)] if known.compensated_by else None
            )
            assert request.links.superseded_by == (self.ids[id(known.superseded_by)] if known.superseded_by else None)
            votes = [
                {vote.approver: vote.decision == "granted" for vote in each.votes}
                for each in request.current_requirements
            ]
            assert votes == [{name: yes for name, (yes, _) in each.votes.items()} for each in known.open]
            if request.resulting_version is not None:
                enough_people_approved(history)
            assert partners_exist(self.gov, request)

    @invariant()
    def state_counts_executions(self) -> None:
        if not self.touched:
            return
        state = self.gov.state(STATE)
        assert (state.version, state.value) == (self.world.version, Board(**vars(self.world.state)))
        history = self.gov.state_history(STATE)
        assert [each.version for each in history] == list(range(1, state.version + 1))
        changes = [each.event.request_id for each in history if isinstance(each.event, StateChanged)]
        assert len(set(changes)) == len(changes) == sum(1 for each in self.world.requests if each.result)
        self.touched = []


LifeCycle.TestCase.settings = settings(max_examples=2 * settings().max_examples, stateful_step_count=50)
test_lives_of_requests = LifeCycle.TestCase
