"""Whatever happened to effects: the outbox that was kept up step by step is the one that the log gives."""

from contextlib import closing, suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance import EffectSettledError, UndeliverableError
from governance.domain.effect_events import EffectDelivered
from tests.effect_cases import ROOT, Clock, Receiver, delivered, executed, opened

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("execute"), st.integers(0, 2), st.integers(0, 3)),
        st.tuples(st.just("deliver"), st.sampled_from(["well", "badly", "hopelessly"]), st.integers(1, 4)),
        st.tuples(st.sampled_from(["retry", "drop"]), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("wait"), st.sampled_from([1, 30, 3600]), st.just(0)),
        st.tuples(st.just("forget"), st.just(0), st.just(0)),
    ),
    max_size=14,
)


class Desk:
    """Two processes on one store, and what happens to them."""

    def __init__(self, url: str, name: str) -> None:
        self.clock, self.receiver, self.known = Clock(), Receiver(), list[str]()
        self._name = name
        self.gov, self.other = (
            opened(url, self.receiver.handler, clock=self.clock, effect_attempts=3) for _ in range(2)
        )

    def close(self) -> None:
        self.gov.close()
        self.other.close()

    def execute(self, state: int, letters: int) -> None:
        request = executed(self.gov, f"{self._name}-{state}", letters=letters)
        self.known += [f"{request}:{number}" for number in range(letters)]

    def deliver(self, how: str, limit: int) -> None:
        self.receiver.failures = 0 if how == "well" else 1_000
        self.receiver.error = lambda: UndeliverableError("no") if how == "hopelessly" else OSError("no")
        delivered(self.other if limit % 2 else self.gov, limit)

    def retry(self, which: int, _: int) -> None:
        self.decide("retry", which)

    def drop(self, which: int, _: int) -> None:
        self.decide("drop", which)

    def wait(self, seconds: int, _: int) -> None:
        self.clock.forward(seconds=seconds)

    def forget(self, *_: int) -> None:
        self.other.rebuild_outbox()

    def decide(self, name: str, which: int) -> None:
        """Let an operator decide; what was delivered or dropped already cannot be."""
        if self.known:
            with suppress(EffectSettledError):
                getattr(self.gov, f"{name}_effect")(self.known[which % len(self.known)], actor=ROOT, reason="r")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_outbox_is_what_the_log_says(store_url: str, steps: list[tuple[str, Any, Any]]) -> None:
    desk = Desk(store_url, str(id(steps)))
    with closing(desk):
        for name, what, more in steps:
            getattr(desk, name)(what, more)
            assert desk.other.outstanding_effects(limit=10_000) == desk.gov.outstanding_effects(limit=10_000)
        kept = desk.gov.outstanding_effects(limit=10_000)
        desk.gov.rebuild_outbox()
        assert desk.gov.outstanding_effects(limit=10_000) == kept
        desk.receiver.failures = 0
        for each in kept:
            desk.gov.retry_effect(each.effect_id, actor=ROOT, reason="r")
        delivered(desk.gov)
        assert desk.gov.outstanding_effects() == []
        for request in {each.partition(":")[0] for each in desk.known}:
            events = [each.event for each in desk.gov.history(request)]
            told = [each.effect_id for each in events if isinstance(each, EffectDelivered)]
            assert len(set(told)) == len(told), "each is told once"
