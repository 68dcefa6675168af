"""A runner or a rebuild that is killed anywhere leaves views that equal a fold of the log."""

import os
import time
from random import Random

import pytest

from projections import Projections
from tests.contract.test_projections_equality import check_against_folds, check_lists, tables_of
from tests.histories import Play
from tests.processes import processes

KILLS = int(os.environ.get("GOVERNANCE_KILLS", "6"))
"""How many runners are killed in one test; more in a thorough run."""


@pytest.mark.parametrize(
    ("worker", "arguments"),
    [("catch_up", {"batch": 3}), ("rebuild", {})],
)
def test_a_killed_worker_leaves_views_that_equal_a_fold(store_url: str, worker: str, arguments: dict[str, int]) -> None:
    random = Random(5)
    with Play(store_url, 8) as play:
        play.commands(30)
        with Projections.open(store_url) as projections:
            projections.catch_up()
        for _ in range(KILLS):
            play.commands(25)
            target = f"tests.torture.projection_workers:{worker}"
            with processes(target, [{"url": store_url, **arguments}]) as (process,):
                process.start()
                process.wait_until("open")
                process.start()
                time.sleep(random.random() * 0.25)
                process.kill()
        with Projections.open(store_url) as projections:
            projections.catch_up()
            check_against_folds(store_url, play)
            check_lists(store_url, play)
            caught_up = tables_of(store_url)
            projections.rebuild()
        assert tables_of(store_url) == caught_up
