"""A process killed while it writes to another system: what came of it is found out, and it is made once."""

from datetime import timedelta
from pathlib import Path

import pytest

from governance import Status
from governance.event_store.log import EventLog
from tests.audit_stores import makes_sense
from tests.external_cases import WORKER, Files, asked_for, kill_at, opened
from tests.processes import race

POINTS = ("load", "before the write", "after the write", "started", "outcome")


def execute(url: str, folder: str, request: str, point: str) -> None:
    """Execute the request and die at a point."""
    store = Files(Path(folder))
    append, at = EventLog.append, kill_at("started")

    def started(log: EventLog, recorded: object) -> object:
        positions = append(log, recorded)  # type: ignore[arg-type]
        at(point)
        return positions

    EventLog.append = started  # type: ignore[assignment, method-assign]
    with opened(url, store) as gov:
        store.at = kill_at(point)
        gov.execute(request, actor=WORKER)


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_of_an_execution_elsewhere_it_is_done_once(
    store_url: str, tmp_path: Path, point: str
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    store = Files(folder)
    with opened(store_url, store, execute_automatically="all") as gov:
        request = asked_for(gov)
        given = {"url": store_url, "folder": str(folder), "request": request, "point": point}
        [ending] = race("tests.torture.test_external_kills:execute", [given])
        assert (ending.exit_code == -9) == (point != "outcome"), ending.traceback
        now = gov._clock()
        for minutes in range(1, 4):
            gov.run_due(now + timedelta(minutes=minutes))
        assert gov.request(request).status is Status.EXECUTED
        assert [each["value"] for each in store.versions("edge")] == [{"ports": [443]}]
        assert [type(each.event).__name__ for each in gov.history(request)].count("Executed") == 1
    assert makes_sense(store_url) == ()
