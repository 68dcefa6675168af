"""A request that a snapshot holds, and what happened after it, is the request that all of its events have made."""

from collections import defaultdict
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from governance.domain.evolution import evolve, replay
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest
from governance.domain.snapshot import request_from, snapshot_of
from governance.domain.telling import decision_of
from tests.cases import REQUEST_ID
from tests.histories import Play
from tests.stored import SAMPLES, STREAMS, sample


def held(history: Sequence[Recorded], upto: int) -> MutationRequest:
    """Return the request as a snapshot after so many events holds it."""
    request = replay(history[:upto])
    assert request is not None
    return request_from(snapshot_of(request), lambda count: map(decision_of, history[:count]))


def same_by_any_snapshot(history: Sequence[Recorded]) -> None:
    """Look at the request by a snapshot after each of its events, the rest folded at once and one by one."""
    whole = replay(history)
    assert whole is not None
    for upto in range(1, len(history) + 1):
        start = held(history, upto)
        at_once, one_by_one = replay(history[upto:], start), start
        for each in history[upto:]:
            one_by_one = evolve(one_by_one, each)
        assert at_once is not None
        assert at_once == one_by_one == whole
        assert at_once.model_dump_json() == whole.model_dump_json()


@settings(max_examples=20)
@given(seed=st.integers(0, 1_000_000))
def test_history_and_any_snapshot_of_it_come_to_the_same(seed: int) -> None:
    streams: dict[str, list[Recorded]] = defaultdict(list)
    with Play("sqlite://", seed) as play:
        play.commands(60)
        for each in play.history():
            if each.stream.startswith("mutationRequest-"):
                streams[each.stream].append(each)
    assert streams
    for history in streams.values():
        same_by_any_snapshot(history)


def test_snapshot_holds_what_every_kind_of_event_leaves_behind() -> None:
    stream = f"mutationRequest-{REQUEST_ID}"
    topics = ["Created", *(each for each in SAMPLES if each != "Created" and STREAMS.get(each, stream) == stream)]
    assert len(topics) > 40
    history = [
        sample(topic).model_copy(update={"stream": stream, "version": version, "position": version * 3})
        for version, topic in enumerate(topics, start=1)
    ]
    same_by_any_snapshot(history)
