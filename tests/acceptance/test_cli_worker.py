"""`gov worker` as a process: it begins, says how it is, does what comes up, and ends when it is told to."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from governance import schedule
from tests import PROJECT
from tests.commands import gov
from tests.effect_cases import GRACE, Write, opened
from tests.worker_cases import eventually, fetched

APP = """
from governance import App
from tests.effect_cases import Receiver, Write
app = App(mutations=[Write], effect_handlers=[Receiver().handler])
"""


@contextmanager
def working(url: str, folder: Path, *more: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Give a worker process that has begun, and its port."""
    (folder / "post.py").write_text(APP)
    command = [sys.executable, "-m", "governance", "worker", "--app", "post:app", "--url", url]
    command += ["--health-port", "0", "--log", "json", "--verbose", *more]
    paths = os.pathsep.join([str(PROJECT), str(folder)])
    with subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            started = json.loads(process.stderr.readline())
            assert started["event"] == "started"
            yield process, started["port"]
        finally:
            process.kill()


def test_worker_does_what_is_due_and_stops_in_good_order(store_url: str, tmp_path: Path) -> None:
    with opened(store_url) as governance:
        wait = schedule(not_before=governance._clock())
        request = governance.submit(Write(), state_id="a", actor=GRACE, reason="r", requires=[wait]).id
        with working(store_url, tmp_path) as (process, port):
            eventually(lambda: not governance.outstanding_effects() and governance.state("a").version == 1)
            eventually(lambda: 'governance_view_lag_events{view="requests"} 0' in fetched(port, "/metrics")[1])
            assert fetched(port, "/health")[0] == 200
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=30)
            assert (process.returncode, out.strip()) == (0, "stopped")
            logged = [json.loads(line) for line in err.splitlines()]
            assert {"effect-delivered", "stopped"} <= {each["event"] for each in logged}
            assert all(each["request"] == request for each in logged if each["event"] == "effect-delivered")
        assert governance.request(request).deliveries[0].status == "delivered"


def test_worker_that_cannot_begin_says_why(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOVERNANCE_URL", store_url)
    monkeypatch.delenv("GOVERNANCE_APP", raising=False)
    assert gov("worker").code == 2, "no application"
    opened(store_url).close()
    assert gov("worker", "--app", "post:app", "--log", "loud").code == 2
    assert gov("worker", "--app", "tests.effect_cases:nothing").code == 2
