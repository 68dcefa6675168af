"""`gov audit` and `gov keys`: what an auditor types, and how it ends."""

import json
import sqlite3
from html.parser import HTMLParser
from pathlib import Path

import pytest

from projections import Projections
from tests.audit_stores import Intruder
from tests.commands import Gov

NASTY = '<script>alert(1)</script> "&\' \x1b[31m \u202e = "'


@pytest.fixture
def gov(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gov:
    monkeypatch.chdir(tmp_path)
    return played(sqlite_url)


@pytest.fixture
def on_both(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gov:
    monkeypatch.chdir(tmp_path)
    return played(store_url)


def played(url: str) -> Gov:
    made = Gov(url)
    for user in ("ada", "bob"):
        done = made(
            "submit", "grant_admin", "--state", "s:roles", "--data", json.dumps({"user": user}), "--reason", NASTY,
            "--as", "grace", "--json",
        )  # fmt: skip
        assert done.code == 0, done
        request_id = done.json["request"]["id"]
        for lead in ("alan", "edsger"):
            assert made("approve", request_id, "--as", f"{lead}:security-lead", "--comment", NASTY).code == 0
        assert made("execute", request_id, "--as", "worker").code == 0
    return made


def first(gov: Gov) -> str:
    found: str = gov("audit", "replay", "--type", "Created", "--limit", "1", "--json").json["events"][0]["stream"]
    return found.partition("-")[2]


def prepared(gov: Gov) -> None:
    assert gov("keys", "generate", "example.com/log").code == 0
    Path("checkpoints").mkdir()
    assert gov("audit", "checkpoint", "--to", "checkpoints", "--to", "latest.checkpoint").code == 0


def test_a_request_is_replayed_step_by_step(gov: Gov) -> None:
    request = first(gov)

    steps = gov("audit", "replay", request, "--step", "--json").json["steps"]
    half = gov("audit", "replay", request[-8:], "--version", "2", "--json").json

    assert [each["event"]["version"] for each in steps] == list(range(1, len(steps) + 1))
    assert (half["version"], half["status"]) == (2, "pending")
    assert gov("audit", "replay", request, "--json").json["status"] == "executed"
    assert "admins" in gov("audit", "replay", "--state", "s:roles", "--version", "1").out


@pytest.mark.parametrize(
    ("asked", "told", "code"),
    [
        (("nonsense",), "nonsense has no events", 1),
        (("--state", "nonsense"), "nonsense has no events", 1),
        (("--quota", "deploys"), "deploys has no events", 1),
        (("--state", "s:roles", "--version", "99"), "no version 99", 1),
        (("--state", "s:roles", "--quota", "deploys"), "give one of", 2),
        (("--type", "Execute"), "'Execute' is none of Amended", 2),
        (("--category", "request"), "'request' is none of", 2),
    ],
)
def test_what_never_was_is_no_empty_answer(gov: Gov, asked: tuple[str, ...], told: str, code: int) -> None:
    answer = gov("audit", "replay", *asked)
    assert (answer.code, told in answer.err) == (code, True), answer.err


def test_a_state_did_not_exist_before_its_first_version(gov: Gov) -> None:
    assert "did not exist" in gov("audit", "replay", "--state", "s:roles", "--position", "1").out


def test_events_are_listed_page_by_page(gov: Gov) -> None:
    page = gov("audit", "replay", "--limit", "3", "--json").json
    rest = gov("audit", "replay", "--after", str(page["next"]), "--actor", "alan", "--json").json

    assert len(page["events"]) == 3
    assert {each["by"]["id"] for each in rest["events"]} == {"alan"}


def test_a_timeline_tells_the_story(gov: Gov) -> None:
    told = gov("audit", "timeline", first(gov))

    assert told.code == 0
    assert "had seen" in told.out
    assert "\x1b" not in told.out
    assert "\u202e" not in told.out
    assert "by request" in gov("audit", "timeline", "s:roles").out
    assert gov("audit", "timeline", "nobody:knows").code == 2


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.addresses += [name for name, _ in attrs if name in {"src", "href", "action"} or name.startswith("on")]


def test_the_page_stands_alone_and_nothing_in_it_can_run(gov: Gov) -> None:
    assert gov("audit", "timeline", first(gov), "--html", "story.html").code == 0

    text = Path("story.html").read_text(encoding="utf-8")
    page = Tags()
    page.feed(text)

    assert page.seen <= {"html", "head", "meta", "title", "style", "body", "h1", "p", "ol", "li", "time", "span",
                         "dl", "dt", "dd"}  # fmt: skip
    assert page.addresses == []
    assert "default-src 'none'" in text
    assert "&lt;script&gt;" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_the_view_is_compared_with_the_events(on_both: Gov, store_url: str) -> None:
    assert on_both("audit", "check").code == 1
    with Projections.open(store_url) as projections:
        projections.catch_up()
    assert on_both("audit", "check", "--json").json["differences"] == []

    changed(store_url)
    found = on_both("audit", "check", "--json")
    together = on_both("audit", "check", "--jobs", "2", "--json")

    assert found.code == together.code == 6
    assert together.json == found.json
    assert {(each["field"], each["view"]) for each in found.json["differences"]} == {("status", "canceled")}


def changed(url: str) -> None:
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            table = connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' "
                "AND name LIKE '%requests%' AND name NOT LIKE '%label%'"
            ).fetchone()[0]
            connection.execute(f"UPDATE \"{table}\" SET status = 'canceled'")
        connection.close()
        return
    import psycopg

    with psycopg.connect(url) as server:
        found = server.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'governance_views' "
            "AND table_name LIKE '%requests%' AND table_name NOT LIKE '%label%'"
        ).fetchone()
        assert found is not None
        server.execute(f"UPDATE governance_views.\"{found[0]}\" SET status = 'canceled'")


def test_a_log_is_signed_verified_and_found_changed(on_both: Gov, store_url: str) -> None:
    prepared(on_both)
    whole = on_both("audit", "verify", "--checkpoint", "checkpoints", "--json")
    assert whole.code == 0
    assert whole.json["proven_size"] == whole.json["events"]

    intruder = Intruder(store_url)
    intruder.do("UPDATE governance_events SET state = replace(state, 'ada', 'eve') WHERE position = ?", 3)
    intruder.do("UPDATE governance_events SET topic = ? WHERE position = ?", "Commented", 4)
    found = on_both("audit", "verify", "--checkpoint", "latest.checkpoint")
    intruder.close()

    assert found.code == 6
    assert "first bad position: 3" in found.out or "first bad position: 4" in found.out
    assert "Not proven" in found.out


def test_a_verification_begins_behind_a_checkpoint_and_can_be_taken_up_again(gov: Gov) -> None:
    prepared(gov)
    checkpoint = "latest.checkpoint"

    assert gov("audit", "verify", "--from", checkpoint, "--hashes-only").code == 0
    Path("progress.json").write_text("{}")
    assert gov("audit", "verify", "--resume", "progress.json").code == 2
    Path("progress.json").unlink()
    assert gov("audit", "verify", "--resume", "progress.json").code == 0
    assert not Path("progress.json").exists()


def test_a_false_checkpoint_is_found_out(gov: Gov) -> None:
    prepared(gov)
    file = Path("latest.checkpoint")
    file.write_text(file.read_text().replace("position", "Position"))

    assert gov("audit", "verify", "--checkpoint", str(file)).code == 6
    assert gov("audit", "verify", "--checkpoint", "nowhere").code == 2


def test_witnesses_get_the_checkpoint(gov: Gov) -> None:
    gov("keys", "generate", "example.com/log")

    good = gov("audit", "checkpoint", "--witness", "tee witness.txt", "--json")
    bad = gov("audit", "checkpoint", "--witness", "false", "--witness", "/no/such/program")

    assert good.code == 0
    assert Path("witness.txt").read_text() == good.json["checkpoint"]
    assert bad.code == 1


def test_one_event_is_proven(gov: Gov) -> None:
    from base64 import b64decode

    from governance.audit.notes import Checkpoint, Note
    from governance.audit.proofs import Leaf, event_hash, inclusion_holds

    prepared(gov)
    proof = gov("audit", "prove", "5", "--json").json

    event, tree = proof["event"], Checkpoint.parse(Note.parse(proof["checkpoint"]).text)
    leaf = Leaf(event["position"], event["stream"].encode(), event["version"], event["topic"].encode(),
                event["state"].encode())  # fmt: skip
    path = [b64decode(each) for each in proof["proof"]]
    assert inclusion_holds(event_hash(leaf), proof["leaf"], tree.size, path, tree.root)
    assert gov("audit", "prove", "999").code == 1


def test_a_receipt_is_made_and_checked(gov: Gov) -> None:
    prepared(gov)
    request = first(gov)

    assert gov("audit", "receipt", request, "--out", "receipt.json").code == 0
    shown = gov("audit", "receipt", "--check", "receipt.json")
    stranger = gov("audit", "receipt", "--check", "receipt.json", "--keys", "elsewhere")
    Path("receipt.json").write_text(Path("receipt.json").read_text().replace("alan", "alen"))

    assert shown.code == 0
    assert "alan" in shown.out
    assert "not proven: that this is the right key" in stranger.out
    assert gov("audit", "receipt", "--check", "receipt.json").code == 6


@pytest.mark.parametrize("form", ["jsonl", "csv", "cloudevents", "ocsf"])
def test_an_export_is_made_and_checked(gov: Gov, form: str) -> None:
    prepared(gov)

    assert gov("audit", "export", "out", "--format", form, "--split", "5", "--mask", "comment").code == 0
    assert gov("audit", "import", "out", "--verify-only").code == 0
    assert gov("audit", "import", "out").code == 2
    next(Path("out").glob("events-000002*")).unlink()
    assert gov("audit", "import", "out", "--verify-only").code == 6
    assert gov("audit", "export", "other", "--format", "xml").code == 2


def test_keys_are_listed_replaced_and_revoked(gov: Gov) -> None:
    prepared(gov)
    old = gov("keys", "list", "--json").json["keys"][0]["id"]

    assert gov("keys", "rotate").code == 0
    assert gov("audit", "verify", "--checkpoint", "checkpoints").code == 0
    assert gov("keys", "revoke", old, "--reason", "lost").code == 0
    assert gov("audit", "verify", "--checkpoint", "checkpoints").code == 6
    assert "revoked (lost)" in gov("keys", "list").out
    assert gov("keys", "revoke", "00000000").code == 1
    public = gov("keys", "list", "--json").json["keys"][1]["key"]
    assert gov("keys", "trust", public, "--keys", "others").code == 0
    assert gov("audit", "checkpoint", "--keys", "others").code == 2
