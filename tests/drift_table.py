"""The tables of drift and compensation: every situation, as the page in docs/explanation shows it and a test runs."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, ClassVar, Literal

from pydantic import BaseModel

from governance import (
    Actor,
    Governance,
    GovernanceError,
    Mutation,
    MutationRequest,
    Outcome,
    Reversibility,
    Settings,
    allow,
    approval,
    deny,
    dependency,
    external_check,
    irreversible,
    policy,
    quota,
    require,
    reversible,
    schedule,
)
from governance.checks.checkers import checker, passed
from governance.domain.requirements import Requirement
from governance.domain.terms import Stale
from tests.cases import START
from tests.clocks import Clock

ADA, LEAD, LEE = Actor(id="ada"), Actor(id="lea", roles=("lead",)), Actor(id="lee")
ROOT = Actor(id="root", kind="administrator")
STRATEGIES: tuple[Stale, ...] = ("reject", "renew", "revalidate")
STATE = "shelf"
DAY = timedelta(days=1)
LEADS = (approval(role="lead"),)


class Shelf(BaseModel):
    """Books in their order, and a note beside them."""

    books: tuple[str, ...] = ()
    note: str = ""


class Put(Mutation[Shelf]):
    """Puts a book at the end; the book decides what policies say of it."""

    book: str

    def apply(self, state: Shelf) -> Shelf:
        return state.model_copy(update={"books": (*state.books, self.book)})

    def validate_on(self, state: Shelf) -> list[str]:
        return ["it is there"] if self.book in state.books else []

    def inverse(self, before: Shelf, after: Shelf) -> "Take":
        return Take(book=self.book)

    def reads(self) -> list[str]:
        return ["/books"]


class Take(Mutation[Shelf]):
    """Takes a book away; what it changes depends on where the book stands."""

    book: str

    def apply(self, state: Shelf) -> Shelf:
        return state.model_copy(update={"books": tuple(each for each in state.books if each != self.book)})


class Burn(Mutation[Shelf]):
    """Has no inverse."""

    reversibility: ClassVar[Reversibility | None] = irreversible("buy them again")

    def apply(self, state: Shelf) -> Shelf:
        return Shelf()


class Lend(Put):
    """Can be put right for a day."""

    mutation_type: ClassVar[str] = "lend"
    reversibility: ClassVar[Reversibility | None] = reversible(within=DAY)


class Scribble(Mutation[Shelf]):
    """Changes the note, and nothing that others read."""

    note: str

    def apply(self, state: Shelf) -> Shelf:
        return state.model_copy(update={"note": self.note})

    def reads(self) -> list[str]:
        return ["/note"]


@policy(Put)
def by_the_note(mutation: Put, state: Shelf, context: Any) -> Any:
    """What is asked for depends on what is written beside the books and how many there are."""
    if "closed" in state.books:
        return deny("the shelf is closed")
    return require(approval(group="board")) if "precious" in state.books else allow()


def opened(clock: Clock | None = None) -> Governance:
    """Return an empty library."""
    gov = Governance.open(
        "sqlite://",
        mutations=(Put, Take, Burn, Lend, Scribble),
        policies=[by_the_note],
        checkers=[checker("scan")(lambda check: passed())],
        settings=Settings(execute_automatically="never"),
        clock=clock or Clock(),
    )
    gov.quotas.define("moves", limit=1, per=DAY, window="sliding", actor=ROOT)
    return gov


def run(gov: Governance, mutation: Any, actor: Actor = LEE) -> MutationRequest:
    """Return the executed request of a mutation that nobody has to approve."""
    return gov.run(mutation, state_id=STATE, actor=actor, reason="meanwhile").request


Drifting = Callable[[Governance], object]
MEANWHILE: dict[str, tuple[Mutation[Shelf], Drifting]] = {
    "nothing happened": (Put(book="a"), lambda gov: None),
    "the state moved where the mutation does not look": (Put(book="a"), lambda gov: run(gov, Scribble(note="x"))),
    "it moved, and the change is still the same": (Put(book="a"), lambda gov: run(gov, Put(book="b"))),
    "it moved, and it would change something else now": (Take(book="old"), lambda gov: run(gov, Take(book="old"))),
    "it moved, and policies now ask for more": (Put(book="a"), lambda gov: run(gov, Put(book="precious"))),
    "it moved, and a policy now denies it": (Put(book="a"), lambda gov: run(gov, Put(book="closed"))),
    "it moved, and it is not valid any more": (Put(book="a"), lambda gov: run(gov, Put(book="a"))),
}


def drift_rows(*, approved: bool) -> Iterator[tuple[str, ...]]:
    """Yield what happened meanwhile and what comes of executing, for each strategy."""
    for what in MEANWHILE:
        yield (what, *(after_drift(what, stale, approved=approved) for stale in STRATEGIES))


def after_drift(what: str, stale: Stale, *, approved: bool) -> str:
    """Return the resolution and what follows, of a request that somebody approved, or that nobody had to."""
    mutation, meanwhile = MEANWHILE[what]
    with opened() as gov:
        run(gov, Put(book="old"))
        requires = LEADS if approved else ()
        asked = gov.submit(mutation, state_id=STATE, actor=ADA, reason="r", requires=requires, stale=stale)
        if approved:
            gov.approve(asked.id, actor=LEAD)
        meanwhile(gov)
        return told(gov.execute(asked.id, actor=LEE))


KINDS: dict[str, Callable[[str], tuple[Requirement, ...]]] = {
    "an approval": lambda other: LEADS,
    "an external check": lambda other: (external_check("scan"),),
    "a schedule": lambda other: (schedule(not_before=START + DAY),),
    "another request (dependency)": lambda other: (dependency(other),),
    "a quota": lambda other: (quota("moves"),),
    "an approval, and then a quota": lambda other: (*LEADS, quota("moves")),
}


def kind_rows() -> Iterator[tuple[str, ...]]:
    """Yield what a request waited for, and what comes of executing it when the state moved after that was met."""
    for kind in KINDS:
        yield (kind, *(after_waiting(kind, stale) for stale in STRATEGIES))


def after_waiting(kind: str, stale: Stale) -> str:
    """Return the resolution of a request that waited for something else than a yes, and what follows."""
    clock = Clock()
    with opened(clock) as gov:
        other = gov.submit(Put(book="old"), state_id=STATE, actor=LEE, reason="first", requires=[quota("moves")]).id
        gov.run_due()
        asked = gov.submit(
            Put(book="a"), state_id=STATE, actor=ADA, reason="r", requires=KINDS[kind](other), stale=stale
        )
        assert asked.status == "pending"
        gov.execute(other, actor=LEE)
        clock.now += DAY
        if "an approval" in kind:
            gov.approve(asked.id, actor=LEAD)
        gov.run_due()
        run(gov, Put(book="b"))
        return told(gov.execute(asked.id, actor=LEE))


def told(outcome: Outcome) -> str:
    """Return what came of comparing versions, and what follows."""
    assert outcome.resolution is not None
    follows = "runs" if outcome.executed else "new round" if outcome.request.round > 1 else outcome.request.end_code
    return f"{outcome.resolution.outcome}: {follows}"


Way = Literal["inverse", "restore", "by hand"]
WAYS: tuple[Way, ...] = ("inverse", "restore", "by hand")


def _executed(gov: Governance, clock: Clock) -> str:
    return run(gov, Put(book="a"), ADA).id


def _moved(gov: Governance, clock: Clock) -> str:
    done = _executed(gov, clock)
    run(gov, Put(book="b"))
    return done


def _compensated(gov: Governance, clock: Clock) -> str:
    done = _executed(gov, clock)
    gov.execute(gov.compensate(done, actor=ADA, reason="wrong").id, actor=LEE)
    return done


def _compensation(gov: Governance, clock: Clock) -> str:
    return str(gov.request(_compensated(gov, clock)).links.compensated_by)


def _late(gov: Governance, clock: Clock) -> str:
    done = run(gov, Lend(book="a"), ADA).id
    clock.now += DAY
    return done


def _pending(gov: Governance, clock: Clock) -> str:
    return gov.submit(Put(book="a"), state_id=STATE, actor=ADA, reason="r", requires=LEADS).id


def _rejected(gov: Governance, clock: Clock) -> str:
    return gov.reject(_pending(gov, clock), actor=LEAD).id


ORIGINALS: dict[str, Callable[[Governance, Clock], str]] = {
    "executed": _executed,
    "executed, and the state has moved since": _moved,
    "executed, its mutation is declared irreversible": lambda gov, clock: run(gov, Burn(), ADA).id,
    "executed, its mutation has no inverse": lambda gov, clock: run(gov, Scribble(note="x"), ADA).id,
    "executed, its time for the way back is over": _late,
    "compensated": _compensated,
    "itself a compensation": _compensation,
    "pending": _pending,
    "rejected": _rejected,
}


def compensation_rows() -> Iterator[tuple[str, ...]]:
    """Yield how the original stands and what comes of compensating it, each way."""
    for original in ORIGINALS:
        yield (original, *(after_compensating(original, way) for way in WAYS))


def after_compensating(original: str, way: Way) -> str:
    """Return what becomes of the original, or the rule that refuses it."""
    clock = Clock()
    with opened(clock) as gov:
        run(gov, Put(book="old"))
        done = ORIGINALS[original](gov, clock)
        head = gov.log.head()
        given: dict[str, Any] = {"kind": "restore"} if way == "restore" else {}
        by_hand = Scribble(note="put right") if way == "by hand" else None
        try:
            asked = gov.compensate(done, actor=ADA, reason="wrong", mutation=by_hand, **given)
            gov.execute(asked.id, actor=LEE)
        except GovernanceError as error:
            assert gov.log.head() == head, "what is refused changes nothing"
            return f"*{error.rule}*"
        return str(gov.request(done).status)


ENDS: dict[str, Callable[[Governance, str], object]] = {
    "executed": lambda gov, undo: (gov.approve(undo, actor=LEAD), gov.execute(undo, actor=LEE)),
    "still pending": lambda gov, undo: None,
    "rejected by an approver": lambda gov, undo: gov.reject(undo, actor=LEAD, reason="leave it"),
    "canceled by who asked for it": lambda gov, undo: gov.cancel(undo, actor=ADA),
    "superseded by another request": lambda gov, undo: gov.submit(
        Put(book="c"), state_id=STATE, actor=ADA, reason="r", supersedes=undo
    ),
}


def end_rows() -> Iterator[tuple[str, ...]]:
    """Yield how a compensation ended, what the original says of it, who has to see to it, and what comes of another."""
    for end, make in ENDS.items():
        with opened() as gov:
            done = run(gov, Put(book="a"), LEE).id
            gov.register_policies(policy(Take, name="leads")(lambda *_: require(*LEADS)))
            make(gov, gov.compensate(done, actor=ADA, reason="wrong").id)
            yield end, *_afterwards(gov, done)


def _afterwards(gov: Governance, done: str) -> tuple[str, str, str]:
    told = gov.request(done)
    failure = told.compensation_failure
    try:
        again = gov.compensate(done, actor=ADA, reason="again").status.value
    except GovernanceError as error:
        again = f"*{error.rule}*"
    return f"{told.status}{', compensation failed' if failure else ''}", failure.owner or "" if failure else "", again


def table(titles: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """Return rows as Markdown."""
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def tables() -> dict[str, str]:
    """Return every table of the page by its name."""
    strategies = tuple(f"`{each}`" for each in STRATEGIES)
    ways = ("by its inverse", "`restore`", "by a mutation given by hand")
    return {
        "approved": table(("after the approval", *strategies), drift_rows(approved=True)),
        "direct": table(("after the submission", *strategies), drift_rows(approved=False)),
        "kinds": table(("it waited for", *strategies), kind_rows()),
        "compensation": table(("the original is", *ways), compensation_rows()),
        "ends": table(("the compensation is", "the original is", "to be seen to by", "again?"), end_rows()),
    }
