"""`gov demo`: a real case on a fresh store; what it says to type next works when pasted."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import Gov, Shell, gov

LONGEST_LINE = 100
MOST_LINES = 100
SAID = (
    "needs 2 approvals by role security-lead",
    "self-approval",
    "rejected_as_stale",
    "renewal_required",
    "revalidated",
    '+ "ada"',
    '- "bob"',
    "COMPENSATED",
    "is put right by",
    "governance-demo.db",
)


def test_the_demo_tells_the_whole_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    told = gov("demo").out

    unfolded = re.sub(r"\s+", " ", told)
    for part in SAID:
        assert part in unfolded, part
    assert len(told.splitlines()) <= MOST_LINES
    assert all(len(line) <= LONGEST_LINE for line in told.splitlines())


def test_the_demo_happens_on_any_store_and_is_all_there(store_url: str) -> None:
    told = gov("demo", "--store", store_url, "--json").json
    call = Gov(store_url)

    assert call("show", told["request"], "--json").json["request"]["status"] == "compensated"
    assert call("show", told["request"], "--json").json["events"] == told["events"]
    assert call("state", "tenant-42:roles", "--json").json["value"] == told["state"]["after"]
    assert call("show", told["waiting"], "--json").json["request"]["open_requirements"][0]["missing"] == 1
    assert len(call("list", "--json").json["items"]) == 8


def test_what_it_says_to_type_next_works(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    following = shell("demo", "--json").json["next"]
    script = "set -e\ngov() { " + f'{shlex.quote(sys.executable)} -m governance "$@"; ' + "}\n" + "\n".join(following)

    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=tmp_path,
        env=shell.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert "niklaus" in done.stdout


def test_it_never_touches_a_store_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    call = Gov(f"sqlite:///{tmp_path}/real.db")
    call.grant()
    monkeypatch.setenv("GOVERNANCE_URL", call.url)
    head = call("db", "status", "--json").json["head"]

    assert gov("demo").code == 0
    assert gov("demo").code == 0
    assert gov("demo", "--store", call.url).code == 2

    assert call("db", "status", "--json").json["head"] == head
    assert {file.name for file in tmp_path.glob("governance-demo*.db")} == {
        "governance-demo.db",
        "governance-demo-2.db",
    }
