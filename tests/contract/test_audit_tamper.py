"""Whatever is changed behind the product's back is found, at the right position; what is whole raises no alarm."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import pytest

from governance.audit.checkpoints import make_checkpoint
from governance.audit.keeping import KeptTree
from governance.audit.notes import NoteError
from governance.audit.verifying import Report
from governance.audit.workers import Workers
from governance.domain.errors import TamperedError
from tests.audit_stores import NOW, THOROUGH, Intruder, Signed, opened
from tests.histories import Play
from tests.postgres_databases import Databases

UPDATES = 2_000 if THOROUGH else 40
CLEAN_RUNS = 200 if THOROUGH else 6


class Case(NamedTuple):
    """A signed store and who breaks into it."""

    signed: Signed
    intruder: Intruder

    @property
    def covered(self) -> int:
        """How many rows the last checkpoint covers."""
        return self.signed.anchors[-1].size


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    directory = tmp_path_factory.mktemp("audit")
    if request.param == "sqlite":
        signed = Signed(f"sqlite:///{directory / 'store.db'}", directory)
        yield Case(signed, Intruder(signed.url))
        return
    databases: Databases = request.getfixturevalue("postgres_databases")
    with databases.database() as url:
        signed = Signed(url, directory)
        intruder = Intruder(url)
        yield Case(signed, intruder)
        intruder.close()


@pytest.fixture
def case(built: Case) -> Iterator[Case]:
    yield built
    built.intruder.put_back()


def test_what_nobody_changed_is_whole(case: Case) -> None:
    report = case.signed.verify()

    assert report.problems == ()
    assert report.holding == tuple(each.name for each in case.signed.anchors)
    assert (report.events, report.meant) == (len(case.intruder.rows()),) * 2
    assert 0 < report.proven_size < report.events
    assert any("events, which came after" in each for each in report.not_proven)
    assert any("signing key" in each for each in report.not_proven)


def test_every_update_of_a_row_is_found_at_its_position(case: Case) -> None:
    random, rows = Random(5), case.intruder.rows()
    for number in range(UPDATES):
        row = rows[random.randrange(case.covered)]
        column = ("position", "stream", "version", "topic", "state")[number % 5]
        value = changed(row, column, random, {each[0] for each in rows})
        case.intruder.do(f"UPDATE governance_events SET {column} = ? WHERE position = ?", value, row[0])
        report = case.signed.verify(meaning=number % 10 < 5)
        expected = min(row[0], value) if column == "position" else row[0]
        assert report.first_bad_position == expected, (row[:4], column, value, report.problems[:3])
        case.intruder.do(
            "UPDATE governance_events SET position = ?, stream = ?, version = ?, topic = ?, state = ? "
            "WHERE position = ?",
            *row,
            value if column == "position" else row[0],
        )


def changed(row: tuple[Any, ...], column: str, random: Random, taken: set[int]) -> Any:
    _, stream, version, topic, state = row
    at = random.randrange(len(state))
    other = {
        "position": random.choice([max(taken) + 1, max(taken) + 50, *(set(range(1, max(taken))) - taken)]),
        "stream": f"{stream[:-1]}{'0' if stream[-1] != '0' else '1'}",
        "version": version + random.choice((1_000, 7_777)),
        "topic": random.choice([each for each in ("Created", "Executed", "Nonsense", "created") if each != topic]),
        "state": f"{state[:at]}{'~' if state[at] != '~' else '^'}{state[at + 1 :]}",
    }
    return other[column]


Deed = Callable[[Intruder, list[tuple[Any, ...]], int], int | None]


def delete(place: Callable[[int], int]) -> Deed:
    def deed(intruder: Intruder, rows: list[tuple[Any, ...]], covered: int) -> int:
        position: int = rows[place(covered)][0]
        intruder.do("DELETE FROM governance_events WHERE position = ?", position)
        return position

    return deed


def delete_the_tail(intruder: Intruder, rows: list[tuple[Any, ...]], covered: int) -> int:
    first: int = rows[covered - 20][0]
    intruder.do("DELETE FROM governance_events WHERE position >= ?", first)
    return first


def delete_everything(intruder: Intruder, rows: list[tuple[Any, ...]], covered: int) -> int:
    intruder.do("DELETE FROM governance_events")
    return 1


def swap_contents(intruder: Intruder, rows: list[tuple[Any, ...]], covered: int) -> int:
    one, two = rows[10], rows[covered - 5]
    for row, other in ((one, two), (two, one)):
        intruder.do("UPDATE governance_events SET topic = ?, state = ? WHERE position = ?", *other[3:], row[0])
    return int(one[0])


def swap_positions(intruder: Intruder, rows: list[tuple[Any, ...]], covered: int) -> int:
    one, two = rows[12][0], rows[13][0]
    for position, value in ((one, -1), (two, one), (-1, two)):
        intruder.do("UPDATE governance_events SET position = ? WHERE position = ?", value, position)
    return int(one)


def duplicate_at_the_end(intruder: Intruder, rows: list[tuple[Any, ...]], covered: int) -> None:
    stream = next(row[1] for row in rows if row[3] == "Created")
    row = next(each for each in rows if each[1] == stream)
    last = max(each[2] for each in rows if each[1] == stream)
    insert(intruder, (rows[-1][0] + 1, stream, last + 1, *row[3:]))


def duplicate_in_another_stream(intruder: Intruder, rows: list[tuple[Any, ...]], covered: int) -> None:
    row = next(each for each in rows if each[3] == "StateChanged")
    insert(intruder, (rows[-1][0] + 1, "governedState-forged", 1, *row[3:]))


def insert(intruder: Intruder, row: tuple[Any, ...]) -> None:
    intruder.do("INSERT INTO governance_events (position, stream, version, topic, state) VALUES (?, ?, ?, ?, ?)", *row)
    if intruder.on_postgres and row[0] > 0:
        intruder.set_drawn(row[0])


def put_before_all(intruder: Intruder, rows: list[tuple[Any, ...]], covered: int) -> int:
    insert(intruder, (-5, "governedState-forged", 1, *rows[0][3:]))
    intruder.set_drawn(rows[-1][0])
    return -5


def transplant(intruder: Intruder, rows: list[tuple[Any, ...]], covered: int) -> int:
    row = rows[20]
    other = next(each for each in rows if each[1] != row[1] and each[1].startswith("mutationRequest-"))
    last = max(each[2] for each in rows if each[1] == other[1])
    statement = "UPDATE governance_events SET stream = ?, version = ? WHERE position = ?"
    intruder.do(statement, other[1], last + 1, row[0])
    return int(row[0])


def renumber(intruder: Intruder, rows: list[tuple[Any, ...]], covered: int) -> int:
    first = int(rows[30][0])
    intruder.do("UPDATE governance_events SET position = -position WHERE position >= ?", first)
    intruder.do("UPDATE governance_events SET position = 1 - position WHERE position < 0")
    intruder.set_drawn(rows[-1][0] + 1)
    return first


def reset_the_sequence(intruder: Intruder, rows: list[tuple[Any, ...]], covered: int) -> int:
    intruder.set_drawn(rows[covered][0] - 1)
    return int(rows[covered][0])


DEEDS: dict[str, Deed] = {
    "head deleted": delete(lambda covered: 0),
    "middle deleted": delete(lambda covered: covered // 2),
    "last covered deleted": delete(lambda covered: covered - 1),
    "tail deleted": delete_the_tail,
    "everything deleted": delete_everything,
    "contents swapped": swap_contents,
    "positions swapped": swap_positions,
    "duplicated at the end": duplicate_at_the_end,
    "duplicated in another stream": duplicate_in_another_stream,
    "put before all": put_before_all,
    "transplanted": transplant,
    "renumbered": renumber,
    "sequence reset": reset_the_sequence,
}


@pytest.mark.parametrize("name", DEEDS)
def test_what_was_done_to_the_log_is_found(case: Case, name: str) -> None:
    first = DEEDS[name](case.intruder, case.intruder.rows(), case.covered)

    report = case.signed.verify()

    assert report.problems
    if first is not None:
        assert report.first_bad_position == first, report.problems


def without_the_tree(case: Case) -> Report:
    """Verify what an intruder left who changed the kept tree along with the rows."""
    case.intruder.write("governance_tree_tiles", ())
    case.intruder.write("governance_tree", ())
    with opened(case.signed.url) as (rows, tables):
        KeptTree(rows, tables).catch_up()
    return case.signed.verify(meaning=False)


def test_an_older_backup_does_not_continue_what_was_signed(case: Case) -> None:
    rows = case.intruder.rows()
    kept = case.signed.anchors[0].size + 5
    case.intruder.write("governance_events", rows[:kept])
    case.intruder.set_drawn(rows[kept - 1][0])

    report = without_the_tree(case)

    assert report.holding == (case.signed.anchors[0].name,)
    assert "older backup" in " ".join(each.message for each in report.problems)
    assert report.first_bad_position is not None
    assert report.first_bad_position > rows[case.signed.anchors[0].size - 1][0]


def test_who_rewrites_rows_and_tree_is_found_by_the_checkpoint(case: Case) -> None:
    row = case.intruder.rows()[case.covered - 3]
    case.intruder.do("UPDATE governance_events SET state = ? WHERE position = ?", row[4] + " ", row[0])

    report = without_the_tree(case)

    first = case.signed.anchors[0]
    assert report.holding == (first.name,)
    assert report.first_bad_position == case.intruder.rows()[first.size - 1][0] + 1
    assert "at this position or later" in report.problems[0].message


def test_nothing_is_signed_that_contradicts_what_was_signed_before(case: Case) -> None:
    row = case.intruder.rows()[3]
    case.intruder.do("UPDATE governance_events SET state = ? WHERE position = ?", row[4] + " ", row[0])
    without_the_tree(case)

    with opened(case.signed.url) as (rows, tables), pytest.raises(TamperedError, match="contradicts"):
        make_checkpoint(KeptTree(rows, tables), case.signed.keys, case.signed.keys.signer(), NOW)


def test_the_tree_does_not_grow_on_another_log(case: Case) -> None:
    delete_the_tail(case.intruder, case.intruder.rows(), case.covered)

    with opened(case.signed.url) as (rows, tables), pytest.raises(TamperedError, match="older backup"):
        KeptTree(rows, tables).catch_up()


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize("column", ["hashes", "positions"])
def test_an_edited_tree_is_not_taken_for_edited_events(case: Case, column: str) -> None:
    place = TABLES_AT[column]
    for at in range(0, 400, 37):
        tile = case.intruder.table("governance_tree_tiles")[0]
        edited = flipped(bytes(tile[place]), at)
        case.intruder.do(f"UPDATE governance_tree_tiles SET {column} = ? WHERE level = 0 AND number = 0", edited)
        report = case.signed.verify(meaning=False)
        assert report.problems
        if column == "hashes":
            assert {each.kind for each in report.problems} == {"tree"}
        assert report.holding == tuple(each.name for each in case.signed.anchors)
        case.intruder.put_back()


TABLES_AT = {"hashes": 2, "positions": 3}


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE governance_tree SET size = size - 1",
        "UPDATE governance_tree SET position = position - 1",
        "DELETE FROM governance_tree",
        "DELETE FROM governance_tree_tiles WHERE level = 0 AND number = 0",
        "UPDATE governance_tree_tiles SET number = 7 WHERE level = 0 AND number = 0",
        "DELETE FROM governance_tree_tiles WHERE level = 1",
    ],
)
def test_a_tree_that_was_cut_or_moved_is_found(case: Case, deed: str) -> None:
    before = case.intruder.table("governance_tree_tiles")
    case.intruder.do(deed)
    touched = case.intruder.table("governance_tree_tiles") != before or "governance_tree " in f"{deed} "

    report = case.signed.verify(meaning=False)

    assert {each.kind for each in report.problems} == ({"tree"} if touched else set())


def test_an_edited_checkpoint_counts_for_nothing(case: Case) -> None:
    signed = case.signed.keys.latest("tests.example/log")
    assert signed is not None
    for at in range(len(signed)):
        edited = signed[:at] + ("A" if signed[at] != "A" else "B") + signed[at + 1 :]
        with pytest.raises(NoteError):
            case.signed.keys.verified(edited, NOW)


def test_several_processes_find_what_one_finds(case: Case) -> None:
    row = next(each for each in case.intruder.rows() if each[3] == "StateChanged")
    case.intruder.do("UPDATE governance_events SET version = ? WHERE position = ?", row[2] + 500, row[0])

    alone, together = case.signed.verify(), case.signed.verify(workers=Workers(case.signed.url, "governance", 2, 90, 0))

    assert together.problems == alone.problems
    assert (together.problem_count, together.meant) == (alone.problem_count, alone.meant)


def test_without_a_checkpoint_nothing_is_said_to_be_proven(case: Case) -> None:
    report = case.signed.verify(anchors=())

    assert report.problems == ()
    assert report.proven_size == 0
    assert "none of the" in report.not_proven[0]


def test_clean_runs_raise_no_alarm(tmp_path_factory: pytest.TempPathFactory) -> None:
    for seed in range(CLEAN_RUNS):
        directory = tmp_path_factory.mktemp("clean")
        random = Random(seed)
        commands = [random.randrange(1, 50) for _ in range(random.randrange(1, 4))]
        url = f"sqlite:///{directory / 'store.db'}"
        signed = Signed(url, directory, seed=seed * 100, commands=commands)

        report = signed.verify()

        assert report.problems == (), seed


def test_a_verification_beside_writers_raises_no_alarm(
    store_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    signed = Signed(store_url, tmp_path_factory.mktemp("beside"), commands=(20, 5))
    with Play(store_url, 99) as play:
        for _ in range(5):
            play.commands(3)
            signed.sign()
            assert signed.verify().problems == ()
