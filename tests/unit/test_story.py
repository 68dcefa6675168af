"""A story of which the earlier lines are read when they are needed is a tuple of lines to whoever looks at it."""

import copy
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.domain.actors import Actor
from governance.domain.errors import MisplacedEventError
from governance.domain.evolution import evolve, replay
from governance.domain.request import MutationRequest
from governance.domain.snapshot import LAST_LINES, request_from, snapshot_of
from governance.domain.story import Decision, Earlier, Story
from governance.event_store.sealing import concealed
from tests.cases import GRACE, REQUEST_ID, submitted
from tests.spec import recorded

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def line(version: int, reason: str | None = None) -> Decision:
    return Decision(category="comment", code="Commented", by=Actor(id="ada"), at=NOW, reason=reason, version=version)


LINES = tuple(map(line, range(1, 8)))


class Reading:
    """A story of seven lines, and how often its earlier ones were read."""

    def __init__(self, earlier: int = 4) -> None:
        self.times = 0
        self.story = Story(Earlier(earlier, lambda: self._read(earlier)), LINES[earlier:])

    def _read(self, count: int) -> Iterator[Decision]:
        self.times += 1
        yield from LINES[:count]


@given(earlier=st.integers(0, 7), start=st.none() | st.integers(-9, 9), stop=st.none() | st.integers(-9, 9),
       step=st.sampled_from([None, 1, 2, -1, -3]))  # fmt: skip
def test_story_answers_like_the_tuple_of_its_lines(
    earlier: int, start: int | None, stop: int | None, step: int | None
) -> None:
    story = Reading(earlier).story
    assert story[start:stop:step] == LINES[start:stop:step]
    assert (tuple(story), tuple(reversed(story)), len(story)) == (LINES, LINES[::-1], 7)
    assert [story[place] for place in range(-7, 7)] == [LINES[place] for place in range(-7, 7)]
    assert (story.index(LINES[2]), story.count(LINES[5]), LINES[6] in story, line(9) in story) == (2, 1, True, False)
    assert hash(story) == hash(LINES)
    assert bool(story)


@pytest.mark.parametrize("place", [7, -8, 100])
def test_place_beyond_a_story_is_refused_as_by_a_tuple(place: int) -> None:
    reading = Reading()
    with pytest.raises(IndexError):
        reading.story[place]
    assert reading.times == 0


def test_story_equals_the_same_lines_from_either_side() -> None:
    story = Reading().story
    assert story == LINES
    assert LINES == story  # noqa: SIM300 - from the other side
    assert story == Reading(2).story
    assert story != LINES[:-1]
    assert story != (*LINES[:-1], line(7, "else"))
    assert story != list(LINES)


def test_nothing_is_read_before_it_is_needed_and_nothing_twice() -> None:
    reading = Reading()
    more = (line(8),)
    story = reading.story + more
    assert (len(story), story[-1].version, story[-2:], story[4]) == (8, 8, (LINES[6], line(8)), LINES[4])
    assert next(reversed(story)) == line(8)
    assert "4 earlier lines" in repr(story)
    assert story == story  # noqa: PLR0124 - which is known without reading
    assert copy.copy(story) is story
    assert reading.times == 0
    assert tuple(story) == (*LINES, line(8))
    assert reading.story[0] == LINES[0]
    assert reading.times == 1


def test_more_lines_are_put_behind_and_leave_the_story_as_it_was() -> None:
    story, more = Reading().story, (line(8),)
    longer = story + more
    assert isinstance(longer, Story)
    assert (len(story), len(longer), tuple(longer)) == (7, 8, (*LINES, line(8)))


@pytest.mark.parametrize("taken_out", [lambda story: pickle.loads(pickle.dumps(story)), copy.deepcopy])  # noqa: S301
def test_what_is_taken_out_holds_all_lines_and_reads_none(taken_out: Any) -> None:
    reading = Reading()
    assert taken_out(reading.story) == LINES
    assert type(taken_out(reading.story)) is tuple


@pytest.mark.parametrize("there", [3, 5, 0])
def test_lines_that_are_not_as_many_as_they_should_be_are_named(there: int) -> None:
    story = Story(Earlier(4, lambda: LINES[:there]), LINES[4:])
    assert story[-1] == LINES[-1]
    with pytest.raises(MisplacedEventError, match=f"{there} events where there should be 4"):
        tuple(story)


def request_with(told: Any) -> MutationRequest:
    request = replay(recorded(submitted()))
    assert request is not None
    return request.model_copy(update={"decisions": told, "version": len(told)})


def test_request_with_a_story_is_written_and_read_as_with_its_lines() -> None:
    lazy, plain = request_with(Reading().story), request_with(LINES)
    assert lazy == plain
    assert lazy.model_dump() == plain.model_dump()
    assert lazy.model_dump(mode="json") == plain.model_dump(mode="json")
    assert lazy.model_dump_json() == plain.model_dump_json()
    assert MutationRequest.model_validate_json(lazy.model_dump_json()) == plain
    assert MutationRequest.model_validate(lazy.model_dump()) == plain
    assert MutationRequest(**lazy.__dict__) == plain
    assert pickle.loads(pickle.dumps(lazy)) == plain  # noqa: S301 - our own bytes
    assert lazy.model_copy(deep=True) == plain
    with pytest.raises(ValueError, match="decisions"):
        MutationRequest(**{**lazy.__dict__, "decisions": "nonsense"})


def test_what_is_sealed_is_opened_in_every_line_when_it_is_read() -> None:
    sealed = f"sealed:1:{'0' * 32}:{'A' * 43}:AAAA:place"
    lines = tuple(Decision.sound(**{**line(1).__dict__, "version": each, "reason": sealed}) for each in (1, 2, 3))
    read = list[Decision]()

    def reading() -> list[Decision]:
        read.extend(lines[:2])
        return read

    opened = concealed(request_with(Story(Earlier(2, reading), lines[2:])))
    assert (read, opened.decisions[2].reason) == ([], "[sealed]")
    assert [each.reason for each in opened.decisions] == ["[sealed]"] * 3


def test_snapshot_holds_the_last_lines_only() -> None:
    request = request_with(tuple(map(line, range(1, 40))))
    back = request_from(snapshot_of(request), lambda count: map(line, range(1, count + 1)))
    assert back == request
    assert '"version":29,' not in snapshot_of(request)
    assert [each.version for each in back.decisions[-LAST_LINES:]] == list(range(30, 40))


@pytest.mark.parametrize("update", [{"version": 5}, {"version": 8}, {"decisions": LINES[1:4]}])
def test_snapshot_whose_story_ends_elsewhere_is_none(update: dict[str, Any]) -> None:
    wrong = request_with(LINES).model_copy(update=update).model_dump_json()
    with pytest.raises(ValueError, match="does not end with version"):
        request_from(wrong, lambda _: ())


@pytest.mark.parametrize("text", ["", "{}", "null", "[]", '{"id":1}', "x", "[" * 10_000, b"\xff"])
def test_what_is_not_a_snapshot_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic's own is one
        request_from(text, lambda _: ())


def test_evolving_reads_no_earlier_line() -> None:
    history = recorded(submitted())
    request = replay(history[:-1])
    assert request is not None
    unread = request_from(
        request.model_copy(update={"decisions": request.decisions[-1:]}).model_dump_json(), _must_not_be_read
    )
    assert evolve(unread, history[-1]).decisions[-1].version == len(history)
    assert replay(history[-1:], unread) is not None
    assert unread.id == REQUEST_ID
    assert unread.requester == GRACE


def _must_not_be_read(count: int) -> Any:
    raise AssertionError(f"{count} lines were read")
