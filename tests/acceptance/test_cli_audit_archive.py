"""`gov audit archive`: closed requests copied out with their proofs, and checked without a store."""

import json
from pathlib import Path

import pytest

from tests.commands import Gov

LATER = "2126-01-01T00:00:00Z"
EARLIER = "2006-01-01T00:00:00Z"


@pytest.fixture
def gov(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gov:
    monkeypatch.chdir(tmp_path)
    made = Gov(store_url)
    made.executed("ada")
    made.executed("bob")
    made.grant("cleo")
    assert made("keys", "generate", "example.com/log").code == 0
    return made


def test_closed_requests_are_archived_and_nothing_leaves_the_log(gov: Gov) -> None:
    before = gov("audit", "replay", "--json").json["events"]

    done = gov("audit", "archive", "old", "--before", LATER, "--json")

    assert (done.code, done.json["requests"]) == (0, 2)
    assert gov("audit", "replay", "--json").json["events"] == before
    assert Gov("sqlite:///nowhere.db")("audit", "archive", "old", "--check").code == 0
    for line in Path("old/receipts.jsonl").read_text().splitlines():
        Path("one.json").write_text(line)
        assert gov("audit", "receipt", "--check", "one.json").code == 0


def test_younger_and_open_requests_stay_out(gov: Gov) -> None:
    assert gov("audit", "archive", "old", "--before", EARLIER, "--json").json["requests"] == 0


def test_an_archive_is_not_written_over(gov: Gov) -> None:
    assert gov("audit", "archive", "old", "--before", LATER).code == 0
    assert gov("audit", "archive", "old", "--before", LATER).code == 2
    assert gov("audit", "archive", "new").code == 2
    assert gov("audit", "archive", "missing", "--check").code == 2


@pytest.mark.parametrize("kind", ["event", "proof", "event left out", "checkpoint", "other checkpoint", "no receipt"])
def test_whatever_is_changed_in_an_archive_is_found(gov: Gov, kind: str) -> None:
    assert gov("audit", "archive", "old", "--before", LATER).code == 0
    file, signed = Path("old/receipts.jsonl"), Path("old/archive.checkpoint")
    lines = file.read_text().splitlines()
    document = json.loads(lines[1])
    match kind:
        case "event":
            document["events"][3]["state"] = document["events"][3]["state"].replace("alan", "alma")
        case "proof":
            document["events"][0]["proof"] = document["events"][1]["proof"]
        case "event left out":
            del document["events"][3]
        case "checkpoint":
            signed.write_text(signed.read_text().replace("\n\n", "\nx\n\n", 1))
        case "other checkpoint":
            gov.grant("dan")
            signed.write_text(gov("audit", "checkpoint", "--json").json["checkpoint"])
        case _:
            document = {"format": "nonsense"}
    file.write_text("\n".join([lines[0], json.dumps(document)]) + "\n")

    ended = gov("audit", "archive", "old", "--check", "--json")

    assert ended.code == 6
    assert ended.json["wrong"]
