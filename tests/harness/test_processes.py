"""The runner of processes starts them together, kills them where asked, and leaves none behind."""

import os
import time
from pathlib import Path
from queue import Empty

import pytest
from pydantic import JsonValue

from tests.processes import Ending, processes, race, reach

HERE = "tests.harness.test_processes"


def answer(text: str, times: int = 1) -> JsonValue:
    print("this is for people")
    return {"said": text * times, "process": os.getpid()}


def moment() -> JsonValue:
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def refuse() -> JsonValue:
    raise LookupError("nothing here")


def write_in_two_steps(path: str) -> JsonValue:
    Path(path).write_text("first")
    reach("between")
    Path(path).write_text("second")
    return "done"


def sleep(seconds: float) -> JsonValue:
    time.sleep(seconds)
    return None


def test_each_process_gets_its_arguments_and_answers_in_order() -> None:
    endings = race(f"{HERE}:answer", [{"text": "a"}, {"text": "ü\x00\n", "times": 2}])

    values = [ending.returned for ending in endings]
    assert all(isinstance(value, dict) for value in values)
    assert [value["said"] for value in values if isinstance(value, dict)] == ["a", "ü\x00\nü\x00\n"]
    assert len({os.getpid(), *(value["process"] for value in values if isinstance(value, dict))}) == 3


def test_processes_start_at_one_instant() -> None:
    moments = [ending.returned for ending in race(f"{HERE}:moment", [{}] * 4)]

    numbers = [moment for moment in moments if isinstance(moment, float)]
    assert len(numbers) == 4
    assert max(numbers) - min(numbers) < 0.5


def test_an_error_is_told_with_its_traceback() -> None:
    (ending,) = race(f"{HERE}:refuse", [{}])

    assert (ending.error, ending.exit_code) == ("LookupError", 0)
    assert "nothing here" in ending.traceback


def test_a_function_that_does_not_exist_is_told_before_the_start() -> None:
    with pytest.raises(AssertionError, match="AttributeError"):
        race(f"{HERE}:missing", [{}])


def test_a_process_is_killed_where_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with processes(f"{HERE}:write_in_two_steps", [{"path": str(file)}]) as (process,):
        process.start()
        process.wait_until("between")
        process.kill()
        ending = process.ending()

    assert ending == Ending(exit_code=-9)
    assert file.read_text() == "first"


def test_a_process_goes_on_from_where_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with processes(f"{HERE}:write_in_two_steps", [{"path": str(file)}]) as (process,):
        process.start()
        process.wait_until("between")
        assert file.read_text() == "first"
        process.start()
        assert process.ending() == Ending(returned="done")

    assert file.read_text() == "second"


def test_a_function_that_is_called_in_the_usual_way_does_not_stand_still(tmp_path: Path) -> None:
    assert write_in_two_steps(str(tmp_path / "file")) == "done"


def test_a_process_that_takes_too_long_is_not_waited_for_and_not_left_behind() -> None:
    with processes(f"{HERE}:sleep", [{"seconds": 60}]) as (process,):
        process.start()
        with pytest.raises(Empty):
            process.ending(seconds=0.2)

    assert process.ending().exit_code == -9
