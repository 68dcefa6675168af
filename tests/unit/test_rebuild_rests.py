"""A rebuild gives way to those who write, and to nobody else."""

import pytest

from projections.rebuild import BUSY_EVENTS_A_SECOND, LONGEST_REST_SECONDS, breath


def test_nothing_is_given_away_while_nobody_writes() -> None:
    assert breath(0.2, 0, on_postgres=True) == 0
    assert breath(0.0, 0, on_postgres=True) == 0


def test_more_is_given_away_the_more_is_written_up_to_half_of_the_time() -> None:
    rests = [breath(0.2, round(0.2 * rate), on_postgres=True) for rate in (10, 250, 500, 1_000, 5_000)]
    assert rests == sorted(rests)
    assert rests[1] == pytest.approx(0.2 * 250 / BUSY_EVENTS_A_SECOND)
    assert rests[-2] == rests[-1] == pytest.approx(0.2)


def test_no_rest_is_long() -> None:
    assert breath(30.0, 1_000_000, on_postgres=True) == LONGEST_REST_SECONDS


def test_on_sqlite_writers_who_wait_find_room_between_any_two_batches() -> None:
    assert breath(0.2, 0, on_postgres=False) == pytest.approx(0.02)
    assert breath(0.2, 1_000, on_postgres=False) == pytest.approx(0.2)
