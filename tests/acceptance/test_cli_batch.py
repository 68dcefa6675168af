"""Batches by `gov batch`, on both databases: from a file, as one, with exit codes that tell what came of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Ended, Gov


@pytest.fixture
def gov(store_url: str) -> Gov:
    return Gov(store_url)


def grant(user: str, tenant: int, **others: Any) -> dict[str, Any]:
    return {"mutation": "grant_admin", "state": f"tenant-{tenant}:roles", "data": {"user": user}, **others}


def submitted(gov: Gov, items: Any, *more: str) -> Ended:
    given = json.dumps(items).encode()
    return gov("batch", "submit", "-", "--reason", "quarterly", "--as", "grace", "--json", *more, stdin=given)


def asked(gov: Gov, *more: str, count: int = 2) -> str:
    """Return the id of a batch of grants that two leads have to approve."""
    ended = submitted(gov, [grant("ada", number) for number in range(count)], *more)
    assert ended.code == 0, ended
    return str(ended.json["id"])


def approved(gov: Gov, *more: str) -> str:
    batch = asked(gov, *more)
    for lead in ("alan", "edsger"):
        seen = gov("batch", "show", batch, "--json").json["digest"]
        assert gov("batch", "approve", batch, "--as", f"{lead}:security-lead", "--seen", seen).code == 0
    return batch


def test_batch_is_submitted_shown_approved_and_executed(gov: Gov) -> None:
    batch = approved(gov)
    shown = gov("batch", "show", batch[-6:])
    assert shown.code == 0
    for told in (batch, "OPEN", "quarterly", "grant_admin", "tenant-1:roles", "gov batch execute"):
        assert told in shown.out, told
    done = gov("batch", "execute", batch, "--as", "worker", "--json")
    assert (done.code, done.json["executed"], done.json["status"]) == (0, True, "executed")
    assert [each["status"] for each in done.json["requests"]] == ["executed", "executed"]
    assert gov("state", "tenant-1:roles", "--json").json["value"]["admins"] == ["ada"]
    assert gov("batch", "execute", batch, "--as", "worker").code == 4


def test_file_may_be_yaml_or_lines_and_say_everything_itself(gov: Gov, tmp_path: Path) -> None:
    yaml = tmp_path / "batch.yaml"
    yaml.write_text(
        "reason: quarterly\natomic: false\nkey: q1\nas: grace\nitems:\n"
        "  - {mutation: grant_admin, state: 'tenant-1:roles', data: {user: ada}}\n"
        "  - {mutation: grant_admin, state: 'tenant-2:roles', data: {user: bob}, reason: on call, as: tony}\n"
    )
    shown = gov("batch", "submit", str(yaml), "--json").json
    assert (shown["atomic"], shown["reason"]) == (False, "quarterly")
    assert [(each["requester"]["id"], each["reason"]) for each in shown["requests"]] == [
        ("grace", "quarterly"),
        ("tony", "on call"),
    ]
    lines = tmp_path / "batch.jsonl"
    lines.write_text("\n".join(json.dumps(grant("ada", number)) for number in range(3)) + "\n")
    given = ("--reason", "r", "--as", "grace", "--in-order")
    assert len(gov("batch", "submit", str(lines), *given, "--json").json["requests"]) == 3


def test_same_key_again_is_the_same_batch_and_other_content_a_conflict(gov: Gov) -> None:
    first = asked(gov, "--key", "q1")
    assert asked(gov, "--key", "q1") == first
    assert submitted(gov, [grant("bob", 1)], "--key", "q1").code == 5
    assert gov("submit", "grant_admin", "--state", "x", "--data", '{"user": "a"}', "--reason", "r", "--as", "grace",
               "--key", "q1").code == 5  # fmt: skip


def test_what_waits_is_not_executed(gov: Gov) -> None:
    batch = asked(gov)
    ended = gov("batch", "execute", batch, "--as", "worker", "--json")
    assert (ended.code, ended.error["rule"]) == (3, "still-pending")


def test_what_a_rule_refuses_at_once_is_told(gov: Gov) -> None:
    ended = submitted(gov, [{"mutation": "revoke_admin", "state": "tenant-1:roles", "data": {"user": "nobody"}}])
    assert (ended.code, ended.json["requests"][0]["status"]) == (4, "rejected")


def test_failure_in_order_is_no_success_and_says_what_was_put_right(gov: Gov) -> None:
    batch = approved(gov, "--in-order")
    stale = submitted(gov, [grant("zoe", 7), grant("zoe", 8, stale="reject")], "--in-order").json["id"]
    for lead in ("alan", "edsger"):
        assert gov("batch", "approve", stale, "--as", f"{lead}:security-lead").code == 0
    gov.executed("first", state="tenant-8:roles")
    failed = gov("batch", "execute", stale, "--as", "worker", "--json")
    assert (failed.code, failed.json["executed"], failed.json["status"]) == (5, False, "failed")
    assert [each["status"] for each in failed.json["requests"]] == ["compensated", "rejected"]
    shown = gov("batch", "show", stale).out
    assert "is put right by" in shown
    assert gov("batch", "execute", batch, "--as", "worker").code == 0


@pytest.mark.parametrize(
    ("items", "field"),
    [
        ([], "items"),
        ({}, "file"),
        ({"items": {}}, "file"),
        ({"items": [], "colour": "red"}, "file"),
        ("text", "file"),
        ([5], "items"),
        ([{"mutation": "grant_admin", "colour": "red"}], "colour"),
        ([grant("ada", 1, key="k")], "items.key"),
        ({"items": [grant("ada", 1)], "atomic": "yes"}, "atomic"),
        ([{"state": "x"}], "mutation"),
        ([grant("ada", 1), grant("bob", 1, stale="reject")], "items"),
    ],
)
def test_nonsense_is_refused_and_stores_nothing(gov: Gov, items: Any, field: str) -> None:
    gov.grant()
    ended = submitted(gov, items)
    assert (ended.code, ended.error["ids"]["field"]) == (2, field)


def test_refusal_names_the_item(gov: Gov) -> None:
    ended = submitted(gov, [grant("ada", 1), {"mutation": "no_such", "state": "x"}])
    assert (ended.code, ended.error["ids"]["item"]) == (2, "1")


def test_whoever_may_not_approve_one_approves_none(gov: Gov) -> None:
    batch = asked(gov)
    assert gov("batch", "approve", batch, "--as", "grace:security-lead").code == 4
    assert gov("batch", "approve", batch, "--as", "eve").code == 4
    assert gov("batch", "approve", batch, "--as", "alan:security-lead", "--seen", "sha256:other").code == 5


def test_what_is_not_there_is_not_found(gov: Gov) -> None:
    gov.grant()
    assert gov("batch", "show", "ffffff").code == 1
    assert gov("batch", "show", "abc").code == 2
    assert gov("batch", "submit", "no-such-file.json", "--reason", "r", "--as", "grace").code == 2


def test_quiet_prints_the_id_and_nothing_else(gov: Gov) -> None:
    given = json.dumps([grant("ada", 1)]).encode()
    out = gov("batch", "submit", "-", "--reason", "r", "--as", "grace", "-q", stdin=given).out
    assert gov("batch", "show", out.strip(), "--json").json["id"] == out.strip()
