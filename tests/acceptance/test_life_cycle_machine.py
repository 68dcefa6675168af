"""Whole lives of requests, at random, compared step by step with a naive model of the rules."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, precondition, rule
from pydantic import BaseModel

from governance import Actor, Context, Governance, GovernanceError, Mutation, approval, deny, policy, require
from governance import allow as allowed
from governance.domain.actors import ActorKind
from governance.domain.events import ApprovalGranted, ApprovalWithdrawn, Executed, PendingApproval, StateChanged
from governance.domain.evolution import replay
from governance.domain.requirements import Requirement
from tests import naive_model as naive
from tests.cases import HOUR, START
from tests.naive_execution import Executing

STATE = "board"


class Board(BaseModel):
    admins: tuple[str, ...] = ()
    note: str = ""


class Revoke(Mutation[Board]):
    text: str

    def apply(self, state: Board) -> Board:
        return Board(admins=tuple(each for each in state.admins if each != self.text), note=state.note)

    def reads(self) -> list[str]:
        return ["/admins"]


class Grant(Mutation[Board]):
    text: str

    def apply(self, state: Board) -> Board:
        return Board(admins=(*state.admins, self.text), note=state.note)

    def validate_on(self, state: Board) -> list[str]:
        return ["is an admin"] if self.text in state.admins else []

    def inverse(self, before: Board, after: Board) -> Revoke:
        return Revoke(text=self.text)


class Note(Mutation[Board]):
    text: str

    def apply(self, state: Board) -> Board:
        return Board(admins=state.admins, note=self.text)

    def reads(self) -> list[str]:
        return ["/note"]

    def inverse(self, before: Board, after: Board) -> "Note":
        return Note(text=before.note)


@policy(Grant)
def freeze_and_audit(mutation: Grant, state: Board, context: Context) -> object:
    if state.note == "frozen":
        return deny("frozen")
    return require(approval(role="auditor")) if len(state.admins) >= 2 else allowed()


MUTATIONS: dict[str, type[Mutation[Board]]] = {"grant": Grant, "revoke": Revoke, "note": Note}
LEAD, AUDITOR = frozenset({"lead"}), frozenset({"auditor"})
PEOPLE = [
    naive.Person("ada", LEAD),
    naive.Person("bob", LEAD | AUDITOR),
    naive.Person("cy", LEAD),
    naive.Person("dan", AUDITOR),
    naive.Person("eve"),
    naive.Person("root", administrator=True),
    naive.Person("eve", LEAD, acts_for="ada"),
    naive.Person("bob", LEAD, acts_for="cy"),
]
ASKS = [
    naive.Ask(role="lead"),
    naive.Ask(role="lead", quorum=2),
    naive.Ask(role="auditor"),
    naive.Ask(role="auditor", step=2),
    naive.Ask(names=frozenset({"ada", "bob", "cy"}), quorum=2, veto=False),
    naive.Ask(role="lead", hours=3),
    naive.Ask(role="lead", until=START + 8 * HOUR),
    naive.Ask(role="lead", quorum=2, step=3, veto=False),
]


def actor(person: naive.Person) -> Actor:
    """Return the person as the product knows them."""
    kind: ActorKind = "administrator" if person.administrator else "user"
    return Actor(id=person.id, kind=kind, roles=tuple(sorted(person.roles)), on_behalf_of=person.acts_for)


def requirement(ask: naive.Ask) -> Requirement:
    """Return what is asked for as the product knows it."""
    return approval(
        role=ask.role or (),
        actor=sorted(ask.names),
        quorum=ask.quorum,
        step=ask.step,
        expires_after=timedelta(hours=ask.hours) if ask.hours else None,
        expires_at=ask.until,
        veto=ask.veto,
    )


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


def enough_people_approved(history: Any) -> None:
    """Check, from the events alone, that what ran had been approved by enough people who were entitled to that."""
    requester = history[0].event.requester.people
    end = next(index for index, each in enumerate(history) if isinstance(each.event, Executed))
    opened = [each.event for each in history[:end] if isinstance(each.event, PendingApproval)]
    last_round = max((each.round for each in opened), default=0)
    for requirement in (each for each in opened if each.round == last_round):
        standing: dict[str, Any] = {}
        for each in history[:end]:
            event = each.event
            if isinstance(event, ApprovalGranted) and event.requirement_id == requirement.requirement_id:
                assert event.digest == requirement.digest
                assert event.matched.matches(each.by)
                standing[event.approver] = each.by
            if isinstance(event, ApprovalWithdrawn) and event.requirement_id == requirement.requirement_id:
                standing.pop(event.approver, None)
        behind = [person for by in standing.values() for person in by.people]
        assert len(behind) == len(set(behind)), "one person fills two slots"
        assert not requester & set(behind), "the requester had a part in it"
        assert len(standing) >= requirement.requirement.quorum


def partners_exist(gov: Governance, request: Any) -> bool:
    """Return whether every link leads to a request that links back."""
    links = request.links
    if links.compensated_by is not None:
        assert gov.request(links.compensated_by).links.compensates == request.id
    if links.superseded_by is not None:
        assert gov.request(links.superseded_by).links.supersedes == request.id
    if links.compensates is not None and request.resulting_version is not None:
        assert gov.request(links.compensates).links.compensated_by == request.id
    return True


LifeCycle.TestCase.settings = settings(stateful_step_count=40)
test_lives_of_requests = LifeCycle.TestCase
