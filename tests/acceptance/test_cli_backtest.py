"""`gov policy backtest`: what other policies would have decided about the requests of the past."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import Gov
from tests.policy_files import APP, POLICIES


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    (tmp_path / "granting.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("granting", None)


@pytest.fixture
def past(store_url: str) -> Gov:
    store = Gov(store_url, "granting:app")
    for user in ("ada", "bob", "root"):
        store.grant(user, "--intent", '{"tags": ["production"]}')
    return store


def test_the_past_is_judged_by_other_policies(past: Gov) -> None:
    ended = past("policy", "backtest", "--policies", "policies.yaml", "--json")

    assert ended.code == 0
    assert (ended.json["considered"], ended.json["changed"], ended.json["same"]) == (3, 3, 0)
    assert ended.json["turns"] == {"require → allow": 1, "require → require": 1, "require → deny": 1}
    (_, bob, root) = ended.json["requests"]["changed"]
    assert [each["name"] for each in bob["requirements_added"]] == ["leads"]
    assert root["now"]["codes"] == ["no-root"]


def test_the_past_by_the_policies_of_today_is_the_past(past: Gov) -> None:
    ended = past("policy", "backtest", "--check")

    assert (ended.code, ended.out) == (0, "3 requests: 0 would be decided otherwise\n")


@pytest.mark.parametrize("spec", ["granting:strict", "granting:made", "granting:one"])
def test_other_policies_may_come_from_code(past: Gov, spec: str) -> None:
    ended = past("policy", "backtest", "--policies", spec, "--check")

    assert ended.code == 1
    assert "require → deny  3" in ended.out
    assert "\x1b" not in ended.out


def test_requests_are_chosen(past: Gov) -> None:
    def considered(*given: str) -> int:
        return int(past("policy", "backtest", *given, "--json").json["considered"])

    assert considered("--limit", "2") == 2
    assert considered("--since", "2199-01-01T00:00:00Z") == 0
    assert considered("--until", "2199-01-01T00:00:00Z", "--mutation", "grant_admin") == 3
    assert considered("--mutation", "other") == 0


def test_requests_that_nobody_can_satisfy_are_shown(past: Gov, here: Path) -> None:
    (here / "people.toml").write_text('[roles]\nlead = ["grace"]\n')

    ended = past("policy", "backtest", "--directory", "people.toml")

    assert "Nobody could satisfy  3" in ended.out
    assert past("policy", "backtest", "--directory", "people.toml", "--check").code == 1


@pytest.mark.parametrize(
    "given",
    [
        ("--policies", "no_such:policies"),
        ("--policies", "granting"),
        ("--policies", "granting:nothing"),
        ("--policies", "granting:number"),
        ("--policies", "none.yaml"),
        ("--since", "yesterday"),
        ("--limit", "0"),
        ("--directory", "none.toml"),
        ("--policies", "policies.yaml", "--policies", "policies.yaml"),
    ],
)
def test_backtest_refuses_what_it_cannot_read(past: Gov, given: tuple[str, ...]) -> None:
    ended = past("policy", "backtest", *given, "--json")

    assert ended.code == 2, ended
    assert ended.error["message"]


def test_backtest_needs_an_application_and_a_store(sqlite_url: str) -> None:
    assert Gov(sqlite_url, None)("policy", "backtest").code == 2
    assert Gov(sqlite_url, "granting:app")("policy", "backtest").code == 1


def test_what_is_listed_is_bounded(past: Gov, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("governance.cli.policy_backtest.MAX_LISTED", 2)

    found = past("policy", "backtest", "--policies", "granting:strict", "--json").json

    assert (found["changed"], len(found["requests"]["changed"])) == (3, 2)
    assert "1 more" in past("policy", "backtest", "--policies", "granting:strict").out


def test_json_is_one_document(past: Gov) -> None:
    assert json.loads(past("policy", "backtest", "--json").out)["problems"] == 0
