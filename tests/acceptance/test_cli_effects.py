"""`gov effects`: what is not delivered, and what an operator does about it."""

import sys
from pathlib import Path

import pytest

from governance import ExecutionBrokenOffError
from tests.commands import gov
from tests.effect_cases import Receiver, delivered, executed, opened
from tests.external_cases import WORKER, Files, asked_for
from tests.external_cases import opened as open_elsewhere

APP = """
from governance import App
from tests.effect_cases import Receiver, Write
app = App(mutations=[Write], effect_handlers=[Receiver().handler])
"""


@pytest.fixture
def parked(store_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the id of a request with a parked effect and one that waits for a handler that nobody has."""
    monkeypatch.setenv("GOVERNANCE_URL", store_url)
    monkeypatch.delenv("GOVERNANCE_APP", raising=False)
    with opened(store_url, Receiver(failures=1).handler, effect_attempts=1) as governance:
        request = executed(governance, parcel=True)
        delivered(governance)
    return request


def test_list_shows_what_is_not_delivered(parked: str) -> None:
    items = gov("effects", "list", "--json").json["items"]
    assert [(each["effect_id"], each["status"], each["attempts"]) for each in items] == [
        (f"{parked}:0", "parked", 1),
        (f"{parked}:1", "waiting", 0),
    ]
    assert "handled" not in items[0]
    told = gov("effects", "list").out
    assert f"{parked[-8:]}:0" in told
    assert "no handler" not in told
    assert len(gov("effects", "list", "--status", "parked", "--json").json["items"]) == 1
    assert gov("effects", "list", "--status", "lost").code == 2


def test_list_tells_with_the_application_what_has_no_handler(
    parked: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "desk.py").write_text(APP)  # type: ignore[operator]
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)  # type: ignore[arg-type]
    found = gov("effects", "list", "--app", "desk:app", "--json").json["items"]
    assert [each["handled"] for each in found] == [True, False]
    assert "no handler" in gov("effects", "list", "--app", "desk:app").out


def test_retry_and_drop_are_for_administrators_and_say_why(parked: str, store_url: str) -> None:
    refused = gov("effects", "retry", f"{parked}:0", "--reason", "r", "--as", "grace")
    assert (refused.code, "not-authorized" in refused.err) == (4, True)
    root = ("--as", "root:kind=administrator", "--reason", "the office is open")
    assert gov("effects", "retry", f"{parked[-8:]}:0", *root).code == 0
    assert gov("effects", "drop", f"{parked}:1", *root, "--json").json["status"] == "dropped"
    assert [each["status"] for each in gov("effects", "list", "--json").json["items"]] == ["waiting"]
    receiver = Receiver()
    with opened(store_url, receiver.handler) as governance:
        delivered(governance)
        assert receiver.keys == [f"{parked}:0"]
    assert gov("effects", "list").out.strip() == "Every effect is delivered."
    assert gov("effects", "drop", f"{parked}:0", *root).code == 4
    assert gov("effects", "drop", "nonsense", *root).code == 2
    story = gov("history", parked).out
    for words in (
        "failed, parked",
        "had effect 0 tried again: “the office is open”",
        "gave effect 1 up",
        "post delivered",
    ):
        assert words in story


def test_reconcile_settles_what_broke_off_in_another_system(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "net", raising=False)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (tmp_path / "net.py").write_text(
        "from pathlib import Path\nfrom governance import App\n"
        "from tests.external_cases import ClosePort, Files, OpenPort\n"
        f"app = App(mutations=[OpenPort, ClosePort], state_stores=[Files(Path({str(folder)!r}))])\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOVERNANCE_URL", store_url)
    store = Files(folder)

    def break_off(point: str) -> None:
        if point == "after the write":
            raise ConnectionError("the line went dead")

    store.at = break_off
    with open_elsewhere(store_url, store) as governance:
        request = asked_for(governance)
        with pytest.raises(ExecutionBrokenOffError):
            governance.execute(request, actor=WORKER)
    arguments = (request, "--app", "net:app", "--as", "worker:kind=service")
    assert gov("execute", *arguments).code == 4
    assert gov("reconcile", *arguments, "--json").json["status"] == "executed"
    assert gov("reconcile", *arguments).code == 4
