"""Drift, batches and compensation at random over several states, compared step by step with a naive model."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from governance import Governance, GovernanceError, Settings
from governance.batching import Batch as GivenBatch
from tests.cases import ALAN, GRACE, ROOT, WORKER
from tests.drift_audit import Audit, plain
from tests.naive_batches import Batching
from tests.naive_drift import MAX_ROUNDS, Batch, Change, Request
from tests.naive_model import RefusedError
from tests.sheets import LEAD, MUTATIONS, AddToTotal, DropCell, SetCell, Wipe, much_needs_a_lead

STATES = ("one", "two", "three")
CHANGES = st.one_of(
    st.builds(Change, st.just("add"), st.sampled_from([-3, 0, 2, 5, 100])),
    st.builds(Change, st.just("set"), st.integers(1, 3), st.sampled_from("ab")),
    st.builds(Change, st.just("drop"), cell=st.sampled_from("ab")),
    st.builds(Change, st.sampled_from(["add", "add", "wipe"]), st.just(1)),
)
ASKS = st.builds(
    Request,
    st.sampled_from(STATES),
    CHANGES,
    st.sampled_from(["reject", "renew", "revalidate"]),
    st.sampled_from([True, False, False]),
)


def mutation(change: Change) -> Any:
    """Return the product's word for a change."""
    match change.kind:
        case "add":
            return AddToTotal(amount=change.number)
        case "set":
            return SetCell(cell=change.cell, number=change.number)
        case "drop":
            return DropCell(cell=change.cell)
    return Wipe()


class Drifting(RuleBasedStateMachine):
    """Does the same to the product and to the model, and compares what comes of it."""

    url = "sqlite://"

    def __init__(self) -> None:
        super().__init__()
        self.world = Batching()
        self.ids: dict[int, str] = {}
        self.batches: dict[int, str] = {}
        self.prefix = uuid4().hex
        self.gov = Governance.open(
            self.url, mutations=MUTATIONS, policies=[much_needs_a_lead], settings=Settings(max_rounds=MAX_ROUNDS)
        )

    def teardown(self) -> None:
        with self.gov:
            Audit(self.gov, [self.name(each) for each in STATES], list(self.ids.values())).check()

    def name(self, state: str) -> str:
        return f"{self.prefix}:{state}"

    def both(self, model: Callable[[], Any], product: Callable[[], Any]) -> Any:
        """Do a thing to both; return what both answered, None when both refused."""
        head = self.gov.log.head()
        refused: set[str] = set()
        told: GovernanceError | None = None
        expected = answer = None
        try:
            expected = model()
        except RefusedError as error:
            refused = error.reasons
        try:
            answer = product()
        except GovernanceError as error:
            told = error
        if told is not None:
            assert type(told).__name__ in refused, f"{told!r}, but expected {refused or 'no refusal'}"
            assert self.gov.log.head() == head, "refused, but stored something"
            return None
        assert not refused, f"went through, but expected {refused}"
        return expected, answer

    def arguments(self, ask: Request) -> dict[str, Any]:
        requires = (LEAD,) if ask.asked else ()
        return {"mutation": mutation(ask.change), "state_id": self.name(ask.state), "stale": ask.strategy,
                "requires": requires}  # fmt: skip

    def request(self, data: st.DataObject, *wanted: str) -> Request:
        """Draw a request, rather one that is where the command wants it."""
        fitting = [each for each in self.world.requests if each.status in wanted]
        anywhere = not fitting or data.draw(st.integers(0, 4)) == 0
        return data.draw(st.sampled_from(self.world.requests if anywhere else fitting))

    def id_of(self, request: Request | None) -> str | None:
        return None if request is None else self.ids[id(request)]

    @rule(ask=ASKS, data=st.data(), replaces=st.sampled_from([False, False, False, True]))
    def submit(self, ask: Request, data: st.DataObject, replaces: bool) -> None:
        old = self.request(data, "pending", "approved") if replaces and self.world.requests else None
        given = self.arguments(ask) | {"supersedes": self.id_of(old), "actor": ROOT, "reason": "r"}
        done = self.both(lambda: self.world.submit(ask, old), lambda: self.gov.submit(**given))
        if done is not None:
            self.ids[id(ask)] = done[1].id

    @rule(state=st.sampled_from(STATES), change=CHANGES)
    def drift(self, state: str, change: Change) -> None:
        ask = Request(state, change, "revalidate", False)
        self.world.submit(ask)
        ran = ask.status == "approved" and self.world.execute(ask)
        outcome = self.gov.run(**self.arguments(ask) | {"requires": ()}, actor=GRACE, reason="drift")
        self.ids[id(ask)] = outcome.request.id
        assert outcome.executed is ran

    @precondition(lambda self: self.world.requests)
    @rule(data=st.data())
    def approve(self, data: st.DataObject) -> None:
        request = self.request(data, "pending")
        self.both(lambda: self.world.approve(request), lambda: self.gov.approve(self.ids[id(request)], actor=ALAN))

    @precondition(lambda self: any(each.status == "pending" for each in self.world.requests))
    @rule()
    def approve_everything(self) -> None:
        for each in self.world.requests:
            if each.status == "pending":
                self.world.approve(each)
                self.gov.approve(self.ids[id(each)], actor=ALAN)

    @precondition(lambda self: self.world.requests)
    @rule(data=st.data())
    def execute(self, data: st.DataObject) -> None:
        self.execute_one(self.request(data, "approved"))

    def execute_one(self, request: Request) -> None:
        key = self.ids[id(request)]
        preview = self.gov.preview(key) if request.status == "approved" else None
        done = self.both(lambda: self.world.execute(request), lambda: self.gov.execute(key, actor=WORKER))
        if done is not None:
            assert done[0] is done[1].executed
            assert done[1].resolution is None or preview is None or preview.outcome == done[1].resolution.outcome

    @precondition(lambda self: self.world.requests)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        request = self.request(data, "approved")
        self.both(lambda: self.world.cancel(request), lambda: self.gov.cancel(self.ids[id(request)], actor=ROOT))

    @precondition(lambda self: self.world.requests)
    @rule(data=st.data(), kind=st.sampled_from(["restore", "corrective"]), at_once=st.booleans(), again=st.booleans())
    def compensate(self, data: st.DataObject, kind: Any, at_once: bool, again: bool) -> None:
        done_before = [each for each in self.world.requests if each.status == "executed" and each.compensates]
        again = again and bool(done_before)
        original = data.draw(st.sampled_from(done_before)) if again else self.request(data, "executed")
        done = self.both(
            lambda: self.world.compensate(original, kind),
            lambda: self.gov.compensate(self.ids[id(original)], actor=GRACE, reason="r", kind=kind),
        )
        if done is not None:
            self.ids[id(done[0])] = done[1].id
            if at_once:
                self.execute_one(done[0])

    @precondition(lambda self: self.world.requests)
    @rule(data=st.data())
    def supersede(self, data: st.DataObject) -> None:
        old, new = (self.request(data, "pending", "approved") for _ in range(2))
        self.both(
            lambda: self.world.supersede(old, new),
            lambda: self.gov.supersede(self.ids[id(old)], by=self.ids[id(new)], actor=ROOT),
        )

    @rule(asks=st.lists(ASKS, min_size=1, max_size=4), atomic=st.booleans())
    def submit_batch(self, asks: list[Request], atomic: bool) -> None:
        items = [self.arguments(each) | {"requires": (LEAD,) if each.asked else ()} for each in asks]
        done = self.both(
            lambda: self.world.submit_batch(asks, atomic=atomic),
            lambda: self.gov.submit_batch(items, atomic=atomic, actor=GRACE, reason="r"),
        )
        if done is not None:
            made, batch = done
            self.batches[id(made)] = batch.id
            self.ids |= {id(each): known.id for each, known in zip(asks, batch.requests, strict=True)}

    @precondition(lambda self: self.world.batches)
    @rule(data=st.data())
    def approve_batch(self, data: st.DataObject) -> None:
        batch = data.draw(st.sampled_from(self.world.batches))
        self.both(
            lambda: self.world.approve_batch(batch), lambda: self.gov.approve_batch(self.batches[id(batch)], actor=ALAN)
        )

    @precondition(lambda self: self.world.batches)
    @rule(data=st.data())
    def execute_batch(self, data: st.DataObject) -> None:
        unsettled = [each for each in self.world.batches if each.status == "open"]
        batch = data.draw(st.sampled_from(unsettled or self.world.batches))
        if data.draw(st.booleans()) and any(each.status == "pending" for each in batch.requests):
            self.world.approve_batch(batch)
            self.gov.approve_batch(self.batches[id(batch)], actor=ALAN)
        key = self.batches[id(batch)]
        done = self.both(lambda: self.world.execute_batch(batch), lambda: self.gov.execute_batch(key, actor=WORKER))
        if done is None:
            return
        made, outcome = done
        self.ids |= {id(each): known.id for each, known in zip(made, outcome.compensations, strict=True)}
        assert outcome.executed is (batch.status == "executed")
        self.same_batch(batch, outcome.batch)

    def same_batch(self, batch: Batch, told: GivenBatch) -> None:
        assert told.status == batch.status
        failed = None if batch.status == "executed" else self.id_of(batch.failed)
        assert (told.state.failed_request if batch.status != "executed" else None) == failed
        numbered = [self.ids[id(each)] for each in batch.requests]
        assert told.state.compensations == {numbered[each]: self.id_of(by) for each, by in batch.put_right.items()}
        assert set(told.state.not_compensated) == {numbered[each] for each in batch.left}

    @invariant()
    def both_know_the_same(self) -> None:
        ids = set(self.ids.values())
        assert len(ids) == len(self.ids)
        for known in self.world.requests:
            request = self.gov.request(self.ids[id(known)])
            assert (str(request.status), request.end_code) == (known.status, known.end)
            assert (request.round, request.evaluated_version) == (known.round, known.evaluated)
            assert request.resulting_version == known.result
            assert request.links.compensates == self.id_of(known.compensates)
            assert request.links.compensated_by == self.id_of(known.compensated_by)
            assert request.links.superseded_by == self.id_of(known.superseded_by)
            assert request.links.predecessors == tuple(self.ids[id(each)] for each in known.predecessors)
        for state in STATES:
            now, values = self.gov.state(self.name(state)), self.world.values(state)
            assert (now.version, plain(now.value)) == (len(values) - 1, values[-1])


EXAMPLES = settings().max_examples
PHASES = [each for each in settings().phases if each is not Phase.explain]
"""Explaining takes minutes here, and says little."""


@pytest.mark.timeout(300 + 2 * EXAMPLES)
@pytest.mark.parametrize(("database", "examples", "steps"), [("sqlite", EXAMPLES, 40), ("postgres", 3, 30)])
def test_states_drift_and_are_put_right_as_the_model_says(
    request: pytest.FixtureRequest, database: str, examples: int, steps: int
) -> None:
    machine = type("Machine", (Drifting,), {})
    if database == "postgres":
        machine.url = request.getfixturevalue("postgres_url")  # type: ignore[attr-defined]
    chosen = settings(max_examples=examples, stateful_step_count=steps, report_multiple_bugs=False, phases=PHASES)
    run_state_machine_as_test(machine, settings=chosen)
