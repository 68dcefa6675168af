"""Wrong input of every kind: named, refused, nothing stored, no traceback."""

from pathlib import Path

import pytest

from tests.commands import DEMO_APP, Gov, gov

SUBMIT = ("submit", "grant_admin", "--state", "s", "--reason", "r", "--as", "grace")
GOOD = ("--data", '{"user":"ada"}')


@pytest.fixture
def call(sqlite_url: str) -> Gov:
    called = Gov(sqlite_url)
    assert called("db", "init").code == 0
    return called


def stored(call: Gov) -> int:
    return int(call("db", "status", "--json").json["head"])


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("", "data"),
        ("{", "not JSON"),
        ('{"user":"ada"', "not JSON"),
        ('{"user":"a","user":"b"}', "twice"),
        ('{"user":NaN}', "NaN"),
        ('{"user":Infinity}', "Infinity"),
        ('{"user":true}', "user"),
        ('{"user":null}', "user"),
        ('{"user":"ada","usr":"ada"}', "usr"),
        ("{}", "user"),
        ("[]", "mutation"),
        ("0", "mutation"),
        ("false", "mutation"),
        ('"ada"', "mutation"),
        ("[" * 100_000, "deep"),
        ('{"user":"\\u0000"}', "NUL"),
        ('{"user":"\\ud800"}', "surrogate"),
        ('{"user":9007199254740993}', "2**53"),
        ('{"user":"' + "x" * 300_000 + '"}', "limit"),
        ("@missing.json", "No such file"),
        ("@", "cannot read"),
        ("@.", "directory"),
    ],
)
def test_data_that_is_none_is_refused(call: Gov, data: str, told: str) -> None:
    refused = call(*SUBMIT, "--data", data, "--json")

    assert (refused.code, refused.out) == (2, "")
    assert told.lower() in refused.error["message"].lower()
    assert stored(call) == 0


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"\x00", "not JSON"),
        (b"{" + b" " * 17_000_000 + b"}", "longer than"),
    ],
)
def test_files_and_standard_input_are_checked_alike(call: Gov, tmp_path: Path, raw: bytes, told: str) -> None:
    file = tmp_path / "data.json"
    file.write_bytes(raw)

    for refused in (call(*SUBMIT, "--data", f"@{file}"), call(*SUBMIT, "--data", "-", stdin=raw)):
        assert refused.code == 2
        assert told in refused.err


def test_data_comes_from_a_file_or_standard_input(call: Gov, tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    file.write_bytes(b'\xef\xbb\xbf{"user": "ada"}\r\n')

    assert call(*SUBMIT, "--data", f"@{file}").code == 0
    assert call(*SUBMIT, "--data", "-", stdin='{"user": "ädá"}'.encode()).code == 0
    assert call(*SUBMIT, "--data", "-", "--metadata", "-", stdin=b"{}").code == 2


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("submit",), "which mutation"),
        (("submit", "grant_admin", *GOOD, "--as", "a", "--reason", "r"), "which state"),
        (("submit", "grant_admin", *GOOD, "--as", "a", "--state", "s"), "--reason"),
        (("submit", "grant_admin", *GOOD, "--reason", "r", "--state", "s"), "GOVERNANCE_ACTOR"),
        (("submit", "no_such", *GOOD, "--as", "a", "--reason", "r", "--state", "s"), "grant_admin"),
        ((*SUBMIT, *GOOD, "--reason", "  "), "blank"),
        ((*SUBMIT, *GOOD, "--state", "a\u202eb"), "U+202E"),
        ((*SUBMIT, *GOOD, "--stale", "maybe"), "stale"),
        ((*SUBMIT, *GOOD, "--expires-at", "soon"), "not a time"),
        ((*SUBMIT, *GOOD, "--expires-at", "2199-01-01"), "time zone"),
        ((*SUBMIT, *GOOD, "--expires-at", "2001-01-01T00:00:00Z"), "expires_at"),
        ((*SUBMIT, *GOOD, "--expected-version", "-1"), "expected-version"),
        ((*SUBMIT, *GOOD, "--expected-version", "one"), "expected-version"),
        ((*SUBMIT, *GOOD, "--run", "--dry-run"), "dry-run"),
        ((*SUBMIT, *GOOD, "--require", "{}"), "approver"),
        ((*SUBMIT, *GOOD, "--require", "[]"), "objects"),
        ((*SUBMIT, *GOOD, "--require", '{"role":"a","quorum":0}'), "quorum"),
        ((*SUBMIT, *GOOD, "--require", '{"colour":"red"}'), "approval"),
        ((*SUBMIT, *GOOD, "--require", '{"role":"a","expires_after":"soon"}'), "requires"),
        ((*SUBMIT, *GOOD, "--intent", '{"risk":"enormous"}'), "intent.risk"),
        ((*SUBMIT, *GOOD, "--intent", "[]"), "intent"),
        ((*SUBMIT, *GOOD, "--metadata", "[]"), "metadata"),
        ((*SUBMIT, *GOOD, "--supersedes", "x"), "supersedes"),
        ((*SUBMIT, *GOOD, "--key", ""), "idempotency_key"),
        (("submit", "--file", "x.jsonl", "--quiet"), "quiet"),
        (("submit", "--file", "-", "--data", "-"), "one option"),
        (("history",), "--state"),
        (("history", "abcd", "--state", "s"), "either"),
        (("state", "s", "--at", "now"), "not a time"),
        (("state", "s", "--at", "2199-01-01T00:00:00Z", "--version", "1"), "either"),
        (("compensate", "abcd", "--as", "a"), "--reason"),
        (("delegate", "abcd", "--as", "a", "--to", "b", "--until", "later"), "until"),
        (("nonsense",), "nonsense"),
        (("show",), "REQUEST"),
        (("show", "--nonsense"), "--nonsense"),
    ],
)
def test_wrong_usage_is_named(call: Gov, given: tuple[str, ...], told: str) -> None:
    shown, as_json = call(*given), call(*given, "--json")

    assert (shown.code, as_json.code) == (2, 2), shown
    assert told in as_json.error["message"] + as_json.error.get("next", "")
    assert (shown.out, as_json.out) == ("", "")
    assert stored(call) == 0


@pytest.mark.parametrize(
    ("actor", "told"),
    [
        ("", "nobody acts"),
        ("ada:", "roles"),
        ("ada:lead,,dba", "roles"),
        ("ada:colour=red", "colour"),
        ("ada:kind=robot", "kind"),
        (":lead", "id"),
        ("{", "not JSON"),
        ('{"id":"a","id":"b"}', "twice"),
        ('{"id":5}', "id"),
        ('{"name":"ada"}', "id"),
        ('{"id":"a","role":["b"]}', "role"),
        ("a\x1bb", "U+001B"),
    ],
)
def test_an_actor_that_is_none_is_refused(call: Gov, actor: str, told: str) -> None:
    refused = call("comment", "abcd", "hello", "--as", actor, "--json")

    assert refused.code == 2
    assert told in refused.error["message"]


@pytest.mark.parametrize(
    ("given", "actor"),
    [
        ("ada", {"id": "ada", "roles": [], "groups": [], "kind": "user"}),
        ("ada:lead,dba", {"roles": ["lead", "dba"]}),
        ("ada:lead,group=ops,role=a=b", {"roles": ["lead", "a=b"], "groups": ["ops"]}),
        ("bot:kind=service,name=Bot", {"kind": "service", "name": "Bot"}),
        ("carol:for=ada", {"on_behalf_of": "ada"}),
        ('{"id": "user:ada", "roles": ["lead"]}', {"id": "user:ada", "roles": ["lead"]}),
    ],
)
def test_an_actor_is_written_in_one_word_or_as_json(call: Gov, given: str, actor: dict[str, object]) -> None:
    asked = call("submit", "grant_admin", "--state", "s", "--reason", "r", "--as", given, *GOOD, "--json")

    requester = asked.json["request"]["requester"]
    assert {name: requester[name] for name in actor} == actor


@pytest.mark.parametrize(
    ("url", "code", "told"),
    [
        ("", 2, "not the URL"),
        ("governance.db", 2, "not the URL"),
        ("mysql://localhost/db", 2, "not the URL"),
        ("sqlite://governance.db", 2, "three slashes"),
        ("sqlite:///no/such/directory/x.db", 1, "there is no store"),
        ("sqlite://", 2, "memory"),
        ("sqlite:///:memory:", 2, "memory"),
        ("sqlite:////", 2, "directory"),
        ("postgresql://nobody:geheim@127.0.0.1:1/none", 1, "store"),
    ],
)
def test_a_store_that_is_none_is_named_without_its_password(
    url: str, code: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOVERNANCE_BUDGET_SECONDS", "0.5")

    for command in (("list",), ("db", "status"), ("state", "s"), ("show", "abcd")):
        ended = gov(*command, "--url", url, "--json")
        assert ended.code == code, ended
        assert told in ended.error["message"]
        assert "geheim" not in ended.err


def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is no database" * 100)

    assert gov("list", "--url", f"sqlite:///{tmp_path}/x.db").code == 1


def test_a_store_in_a_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert gov("db", "init", "--url", f"sqlite:///{tmp_path}/a/b.db").code == 2


def test_settings_that_make_no_sense_are_named(call: Gov, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOVERNANCE_BUDGET_SECONDS", "soon")

    refused = call("show", "abcd", "--json")

    assert refused.code == 2
    assert "budget_seconds" in refused.error["message"]


def test_a_command_that_only_reads_makes_no_store(tmp_path: Path) -> None:
    for command in (("list",), ("show", "abcd"), ("state", "s"), ("db", "status"), ("approve", "abcd", "--as", "a")):
        assert gov(*command, "--url", f"sqlite:///{tmp_path}/x.db", "--app", DEMO_APP).code == 1

    assert list(tmp_path.iterdir()) == []
