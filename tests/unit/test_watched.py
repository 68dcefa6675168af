"""A connection is given up when its server twice says that it does nothing for it, and not before."""

from collections.abc import Generator, Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from projections import watched
from projections.watched import QUIET_SECONDS, WatchedConnection


class Play:
    """A connection on which nothing comes, a clock that goes on with every look, and a server that is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answers: list[bool], *, again: bool = True) -> None:
        self.asked: list[float] = []
        self.now = 0.0
        self.closed = False
        self._answers: Iterator[bool] = iter(answers)
        self._again = {"host": "here"} if again else None
        monkeypatch.setattr(watched, "time", SimpleNamespace(monotonic=self._tick))
        monkeypatch.setattr(watched, "_at_work", self._at_work)

    def waiting(self, looks: int) -> str:
        """Look so many times before the answer is there."""
        connection: Any = SimpleNamespace(again=self._again, info=SimpleNamespace(backend_pid=7), close=self._close)
        connection._doubtful = lambda doubted: WatchedConnection._doubtful(connection, doubted)
        waiting = WatchedConnection._watched(connection, self._answer())
        next(waiting)
        try:
            for look in range(looks + 1):
                waiting.send(look == looks)
        except StopIteration as ended:
            return str(ended.value)
        return "nothing came"

    def _answer(self) -> Generator[str, Any, str]:
        while not (yield "readable"):
            continue
        return "the answer"

    def _tick(self) -> float:
        self.now += 0.1
        return self.now

    def _at_work(self, settings: dict[str, Any], process: int) -> bool:
        assert (settings, process) == ({"host": "here"}, 7)
        self.asked.append(self.now)
        return next(self._answers)

    def _close(self) -> None:
        self.closed = True


def test_answer_that_comes_soon_is_waited_for_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    play = Play(monkeypatch, [])
    assert (play.waiting(10), play.asked) == ("the answer", [])


def test_statement_that_takes_long_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    play = Play(monkeypatch, [True] * 5)
    assert play.waiting(90) == "the answer"
    assert (len(play.asked), play.closed) == (4, False)


def test_answer_that_came_while_the_server_was_asked_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    play = Play(monkeypatch, [False])
    looks = round(QUIET_SECONDS / 0.1)
    assert play.waiting(looks + 1) == "the answer"
    assert (len(play.asked), play.closed) == (1, False)


def test_one_bad_answer_between_good_ones_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    play = Play(monkeypatch, [False, True, False, True, True])
    assert (play.waiting(80), play.closed) == ("the answer", False)


def test_two_bad_answers_in_a_row_mean_that_the_connection_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    play = Play(monkeypatch, [True, False, False])
    with pytest.raises(psycopg.OperationalError, match="the connection is lost"):
        play.waiting(100)
    assert play.closed
    assert play.asked[2] - play.asked[1] < QUIET_SECONDS


def test_connection_that_asks_is_given_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    play = Play(monkeypatch, [], again=False)
    with pytest.raises(psycopg.OperationalError):
        play.waiting(100)
    assert play.closed
