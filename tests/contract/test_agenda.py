"""The agenda of a store: rows handed out under leases, woken by keys, read out of the log again; on both databases."""

import threading
import time
from collections.abc import Iterator

import pytest

from governance import Governance
from governance.engines.folding import micros
from governance.event_store.agenda import (
    AgendaClaim,
    AgendaListing,
    AgendaPage,
    AgendaRow,
    AgendaTables,
    Step,
    change,
    clear,
    drop,
    finish,
    put,
    stir,
    touch,
    wait_for,
    wake,
)
from tests.cases import GRACE, MUTATIONS, START, Add

NOW = micros(START)
SECOND = 1_000_000


class Play:
    """The tables of one store, and the position up to which the test has filled them."""

    def __init__(self, governance: Governance) -> None:
        self.tables: AgendaTables = governance.log.event_recorder.agenda()
        self.at = 0

    def __call__(self, *steps: Step) -> None:
        page = AgendaPage(before=self.at, after=self.at + 1, steps=tuple(map(dict, steps)))
        assert self.tables.take_in(page)
        self.at += 1

    def due(self, *kinds: str, seconds: float = 30, limit: int = 10, at: int = NOW) -> list[str]:
        asked = AgendaClaim(kinds=kinds, now=at, limit=limit, seconds=seconds)
        return [f"{each.request_id}/{each.item}" for each in self.tables.claim(asked)]


@pytest.fixture
def play(store_url: str) -> Iterator[Play]:
    with Governance.open(store_url, mutations=MUTATIONS) as governance:
        yield Play(governance)


def test_rows_are_handed_out_once_longest_due_first(play: Play) -> None:
    play(*[put(f"r{number}", "i", "schedule", 9 - number, due_at=NOW - number) for number in range(4)])
    play(put("later", "i", "schedule", 1, due_at=NOW + 1), put("other", "i", "quota", 1, due_at=NOW))
    assert play.due("schedule", limit=2) == ["r3/i", "r2/i"]
    assert play.due("schedule", "quota") == ["r1/i", "other/i", "r0/i"]
    assert play.due("schedule", "quota") == []
    assert play.due("schedule", at=NOW + 1) == ["later/i"]


def test_kinds_of_which_something_is_due_are_told(play: Play) -> None:
    play(put("r1", "i", "schedule", 1, due_at=NOW), put("r2", "i", "quota", 2, due_at=NOW + 1), put("r3", "i", "x", 3))
    kinds = ["quota", "schedule", "x", "execution"]
    assert [list(play.tables.due_kinds(kinds, at)) for at in (NOW - 1, NOW)] == [[], ["schedule"]]
    assert set(play.tables.due_kinds(kinds, NOW + 1)) == {"schedule", "quota"}


def test_lease_that_runs_out_gives_the_row_to_somebody_else(play: Play) -> None:
    play(put("r", "i", "schedule", 1, due_at=NOW))
    assert play.due("schedule", seconds=0.05) == ["r/i"]
    time.sleep(0.1)
    assert play.due("schedule") == ["r/i"]


def test_row_that_is_put_off_comes_at_its_time_unless_an_event_touched_it_meanwhile(play: Play) -> None:
    play(put("r", "i", "schedule", 1, due_at=NOW), put("s", "i", "schedule", 2, due_at=NOW))
    first, second = play.tables.claim(AgendaClaim(kinds=("schedule",), now=NOW, limit=9, seconds=30))
    play(touch("r", ("schedule",), NOW - 1, 7))
    play.tables.put_off(first, None, 0)
    play.tables.put_off(second, NOW + SECOND, 4)
    assert play.due("schedule") == ["r/i"]
    assert play.tables.claim(AgendaClaim(kinds=("schedule",), now=NOW + SECOND, limit=9, seconds=30))[0].tries == 4
    play.tables.remove(first)
    assert {each.rows for each in play.tables.count()} == {2}, "it was touched, so that it stays"


def test_page_is_taken_in_once(play: Play) -> None:
    page = AgendaPage(before=0, after=5, steps=(dict(put("r", "i", "schedule", 1, due_at=NOW)),))
    assert play.tables.take_in(page)
    assert not play.tables.take_in(page)
    assert play.tables.position() == 5
    play.tables.forget()
    assert (play.tables.position(), list(play.tables.count())) == (0, [])


def test_row_waits_for_all_of_its_keys_and_wakes_at_the_last(play: Play) -> None:
    play(put("r", "i", "dependency", 1), wait_for("r", "i", ["a", "b", "b"]), put("s", "i", "dependency", 2))
    play(wait_for("s", "i", ["a"]))
    play(finish("a", NOW, 5))
    assert play.due("dependency") == ["s/i"]
    play(finish("b", NOW, 6))
    assert play.due("dependency") == ["r/i"]
    play(wait_for("r", "i", ["c"]), stir("c", NOW - 9, 7))
    assert play.due("dependency") == ["r/i"], "it is due, and goes on waiting"
    row = play.tables.waiting("", 9)
    assert list(row) == []


def test_what_is_settled_by_hand_counts_against_what_is_left(play: Play) -> None:
    play(put("r", "i", "dependency", 1, due_at=NOW), wait_for("r", "i", ["a", "b", "c"]))
    (row,) = play.tables.claim(AgendaClaim(kinds=("dependency",), now=NOW, limit=1, seconds=30))
    assert play.tables.settled(row, ["a", "nothing"]) == 2
    play.tables.put_off(row, None, 0)
    play(finish("b", NOW, 5))
    assert play.due("dependency") == []
    assert play.tables.settled(row, ["c"]) == 0


def test_last_keys_taken_out_at_the_same_time_leave_nobody_asleep(play: Play) -> None:
    for number in range(25):
        name = f"r{number}"
        play(put(name, "i", "dependency", 1, due_at=NOW), wait_for(name, "i", [f"a{number}", f"b{number}"]))
        (row,) = play.tables.claim(AgendaClaim(kinds=("dependency",), now=NOW, limit=1, seconds=30))
        left: list[int] = []
        settle = threading.Thread(target=_settle, args=(play, row, f"a{number}", left))
        settle.start()
        play(finish(f"b{number}", NOW, 5))
        settle.join()
        woken = play.due("dependency") == [f"{name}/i"]
        assert woken or left == [0], "whoever took the last one out knows of it"
        play(clear(name, ()))


def _settle(play: Play, row: AgendaRow, key: str, left: list[int]) -> None:
    left.append(play.tables.settled(row, [key]))


def test_execution_waits_while_an_earlier_one_of_its_state_is_in_somebody_s_hands(play: Play) -> None:
    play(
        *[
            put(f"r{number}", "request", "execution", number, due_at=NOW, state_id=f"s{number % 2}")
            for number in range(4)
        ]
    )
    assert play.due("execution", limit=1) == ["r0/request"]
    assert play.due("execution", limit=9) == ["r1/request", "r3/request"]
    play(drop("r0", "request"))
    assert play.due("execution", limit=9) == ["r2/request"]


def test_rows_change_kind_wake_by_name_and_go_with_their_request(play: Play) -> None:
    play(
        put("r", "a", "reserved", 1),
        put("r", "b", "quota", 2, wake="quota:k"),
        put("s", "b", "quota", 3, wake="quota:k"),
        put("t", "b", "quota", 4, wake="quota:other"),
    )
    play(change("r", ("reserved",), "return", NOW, 5), clear("r", ("return",)))
    assert play.due("return", "quota") == ["r/a"]
    play(wake("quota:k", NOW, 6))
    assert play.due("quota") == ["s/b"]
    play(wake("", NOW, 7, "quota"))
    assert sorted(play.due("quota")) == ["s/b", "t/b"]
    assert [each.request_id for each in play.tables.waiting("quota:k", 9)] == ["s"]


def test_sooner_of_two_deadlines_stays(play: Play) -> None:
    play(put("r", "deadline", "expiry", 1, due_at=NOW + 9, earliest=1))
    play(put("r", "deadline", "expiry", 2, due_at=NOW, earliest=1))
    play(put("r", "deadline", "expiry", 3, due_at=NOW + 5, earliest=1))
    assert play.due("expiry") == ["r/deadline"]


def test_rows_are_listed_by_key_asleep_or_not_and_by_how_often_they_failed(play: Play) -> None:
    play(*[put(f"r{number}", item, "quota", 1) for number in range(3) for item in ("1.1", "1.2")])
    play(put("r4", "1.1", "quota", 1, due_at=NOW), put("r5", "1.1", "schedule", 1))

    def listed(*kinds: str, asleep: bool = True, tries: int = 0, after: tuple[str, str] = ("", "")) -> list[str]:
        asked = AgendaListing(kinds=kinds, asleep=asleep, tries=tries, after=after, limit=4)
        return [f"{each.request_id}/{each.item}" for each in play.tables.listed(asked)]

    assert listed("quota") == ["r0/1.1", "r0/1.2", "r1/1.1", "r1/1.2"]
    assert listed("quota", "schedule", after=("r1", "1.2")) == ["r2/1.1", "r2/1.2", "r5/1.1"]
    assert listed("quota", asleep=False) == ["r4/1.1"]
    (row,) = play.tables.claim(AgendaClaim(kinds=("quota",), now=NOW, limit=9, seconds=1))
    play.tables.put_off(row, NOW, 3)
    assert listed("quota", asleep=False, tries=3) == ["r4/1.1"]
    assert listed("quota", asleep=False, tries=4) == []


def test_keys_that_rows_wait_for_are_listed_each_once_and_so_are_those_who_wait(play: Play) -> None:
    for number, keys in ((3, ["executed:a", "executed:b"]), (2, ["executed:b"]), (1, [])):
        play(put(f"r{number}", "1.1", "dependency", 9 - number), wait_for(f"r{number}", "1.1", keys))
    assert list(play.tables.waited_for("", 10)) == ["executed:a", "executed:b"]
    assert list(play.tables.waited_for("", 1)) == ["executed:a"]
    assert list(play.tables.waited_for("executed:a", 10)) == ["executed:b"]
    assert [each.request_id for each in play.tables.waiters("executed:b", 10)] == ["r3", "r2"]
    assert [each.request_id for each in play.tables.waiters("executed:b", 1)] == ["r3"]
    assert not play.tables.waiters("executed:c", 10)


def test_governance_keeps_up_from_several_threads_at_once(store_url: str) -> None:
    with (
        Governance.open(store_url, mutations=MUTATIONS) as one,
        Governance.open(store_url, mutations=MUTATIONS) as other,
    ):
        for _ in range(20):
            one.submit(Add(amount=1), state_id="n", actor=GRACE, reason="r", expires_at=None)
        threads = [threading.Thread(target=each.agenda.catch_up) for each in (one, other) * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert one.agenda.catch_up() == one.log.head()
        assert [(each.kind, each.rows) for each in one.agenda.count()] == [("direct", 20)]
        before = one.agenda.count()
        one.agenda.rebuild()
        assert one.agenda.count() == before
