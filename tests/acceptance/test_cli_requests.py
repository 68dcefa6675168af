"""The life of a request by `gov`, on both databases: what is shown, what is JSON, and the exit codes."""

import json

import pytest

from governance.event_store.log import EventLog
from tests.commands import Gov

STATE = "tenant-42:roles"
LEAD = "alan:security-lead"
REVOKE = ("submit", "revoke_admin", "--state", STATE, "--reason", "left", "--as", "linus", "--data")


@pytest.fixture
def gov(store_url: str) -> Gov:
    return Gov(store_url)


def test_a_request_goes_from_submission_to_compensation(gov: Gov) -> None:
    request = gov.grant("ada")
    assert gov("approve", request, "--as", LEAD).code == 0
    assert gov("approve", request, "--as", "edsger:security-lead").code == 0

    ran = gov("execute", request, "--as", "worker:kind=service", "--json")
    assert ran.code == 0
    assert ran.json["executed"] is True
    assert ran.json["change_set"] == [{"path": "/admins/-", "kind": "added", "old": None, "new": "ada"}]
    assert gov("state", STATE, "--json").json["value"] == {"admins": ["ada"], "auditors": []}

    undone = gov("compensate", request, "--as", "grace", "--reason", "wrong", "--run", "--json")
    assert undone.code == 0
    assert undone.json["request"]["links"]["compensates"] == request
    assert gov("show", request, "--json").json["request"]["status"] == "compensated"
    assert gov("state", STATE, "--json").json["value"] == {"admins": [], "auditors": []}
    assert gov("state", STATE, "--version", "1", "--json").json["value"]["admins"] == ["ada"]


def test_what_waits_for_others_is_done_when_it_was_to_be_stored_and_pending_when_it_was_to_run(gov: Gov) -> None:
    asked = ("submit", "grant_admin", "--state", STATE, "--data", '{"user":"ada"}', "--reason", "r", "--as", "grace")

    assert gov(*asked).code == 0
    assert gov(*asked, "--run").code == 3
    request = gov.grant()
    assert gov("approve", request, "--as", LEAD).code == 0
    tried = gov("execute", request, "--as", "worker")
    assert tried.code == 3
    assert "1 more approval by role security-lead" in tried.err
    assert f"gov approve {request[-8:]} --as YOU:security-lead" in tried.err


def test_what_needs_nobody_can_run_at_once(gov: Gov) -> None:
    gov.executed("bob")

    ran = gov(*REVOKE, '{"user":"bob"}', "--run", "--json")

    assert (ran.code, ran.json["executed"], ran.json["resulting_version"]) == (0, True, 2)


def test_a_request_that_does_not_fit_is_stored_and_refused(gov: Gov) -> None:
    refused = gov(*REVOKE, '{"user":"nobody"}', "--json")

    assert refused.code == 4
    assert refused.json["request"]["status"] == "rejected"
    assert gov("show", refused.json["request"]["id"]).code == 0


def test_a_dry_run_stores_nothing(gov: Gov) -> None:
    asked = ("submit", "grant_admin", "--state", STATE, "--data", '{"user":"a"}', "--reason", "r", "--as", "g")
    shown = gov(*asked, "--dry-run")
    as_json = gov(*asked, "--dry-run", "--json").json

    assert shown.code == 0
    assert "nothing is stored" in shown.out
    assert '"a"' in shown.out
    assert as_json["stored"] is False
    assert as_json["request"]["open_requirements"][0]["missing"] == 2
    assert gov("show", as_json["request"]["id"]).code == 1


def test_executing_twice_is_refused(gov: Gov) -> None:
    again = gov("execute", gov.executed(), "--as", "worker", "--json")

    assert (again.code, again.error["rule"]) == (4, "executed-once")


def test_stale_means_what_the_request_says(gov: Gov) -> None:
    waiting = {way: gov.approved(way, "--stale", way) for way in ("reject", "renew", "revalidate")}
    gov.executed("other")

    codes = {way: gov("execute", request, "--as", "worker").code for way, request in waiting.items()}

    assert codes == {"reject": 5, "renew": 3, "revalidate": 0}


def test_a_preview_says_what_would_come_of_it_and_stores_nothing(gov: Gov) -> None:
    request = gov.approved("ada", "--stale", "reject")
    gov.executed("other")

    shown = gov("preview", request, "--json")

    assert (shown.code, shown.json["outcome"]) == (0, "rejected_as_stale")
    assert "rejected_as_stale" in gov("preview", request).out
    assert gov("show", request, "--json").json["request"]["status"] == "approved"


def test_the_state_has_to_be_at_the_expected_version(gov: Gov) -> None:
    gov.executed()

    asked = gov(*REVOKE, '{"user":"ada"}', "--expected-version", "0", "--json")

    assert (asked.code, asked.error["rule"]) == (5, "stale")


def test_the_same_key_is_the_same_request_and_other_content_a_conflict(gov: Gov) -> None:
    first = gov.grant("ada", "--key", "k")

    assert gov.grant("ada", "--key", "k") == first
    asked = ("submit", "grant_admin", "--state", STATE, "--reason", "r", "--as", "grace", "--key", "k")
    other = gov(*asked, "--data", '{"user":"bob"}', "--json")
    assert (other.code, other.error["rule"]) == (5, "idempotency-key")
    assert other.error["ids"]["request"] == first


def test_a_request_takes_the_place_of_another(gov: Gov) -> None:
    old = gov.grant("ada")
    new = gov.grant("bob", "--supersedes", old[-8:])

    assert gov("show", old, "--json").json["request"]["links"]["superseded_by"] == new
    assert new[-8:] in gov("history", old).out


def test_more_can_be_asked_for_than_policies_ask(gov: Gov) -> None:
    asked = ("--require", '{"role": "legal", "expires_after": 3600}', "--metadata", '{"ticket": 7}')
    request = gov.grant("ada", *asked, "--intent", '{"risk": "critical"}', "--correlation-id", "c-1")

    found = gov("show", request, "--json").json["request"]

    assert [each["asked"]["approvers"][0]["id"] for each in found["requirements"]] == ["legal", "security-lead"]
    assert (found["metadata"], found["intent"]["risk"]) == ({"ticket": 7}, "critical")


def test_restoring_is_stale_when_the_state_has_moved(gov: Gov) -> None:
    first = gov.executed("ada")
    gov.executed("bob")
    undo = ("compensate", first, "--as", "grace", "--reason", "r")

    assert gov(*undo, "--restore").code == 5
    assert gov(*undo, "--mutation", "revoke_admin", "--data", '{"user":"ada"}', "--run").code == 0
    assert gov(*undo).code == 4


def test_only_what_ran_can_be_put_right(gov: Gov) -> None:
    assert gov("compensate", gov.grant(), "--as", "grace", "--reason", "r").code == 4


def test_show_says_everything_at_a_glance(gov: Gov) -> None:
    request = gov.grant()
    gov("approve", request, "--as", LEAD, "--comment", "fine with me")

    shown = gov("show", request).out

    for part in (request, "PENDING", "/admins/-", '"ada"', "1 of 2 (alan)", "role security-lead", "fine with me"):
        assert part in shown
    assert f"gov approve {request[-8:]} --as YOU:security-lead" in shown


def test_the_versions_of_a_state_are_its_history(gov: Gov) -> None:
    gov.executed("ada")
    gov.executed("bob")

    assert [each["version"] for each in gov("history", "--state", STATE, "--json").json["events"]] == [1, 2]
    shown = gov("history", "--state", STATE).out
    assert 'version 2: + /admins/- "bob"' in shown


def test_a_state_is_read_at_a_time(gov: Gov) -> None:
    gov.executed("ada")

    long_ago = gov("state", STATE, "--at", "2001-01-01T00:00:00+00:00", "--json")

    assert long_ago.json["version"] == 0
    assert gov("state", STATE, "--at", "2199-01-01T00:00:00Z", "--json").json["version"] == 1


def test_a_state_that_does_not_exist_yet_is_shown_as_it_begins(gov: Gov) -> None:
    gov.grant()

    shown = gov("state", "tenant-7:roles")

    assert shown.code == 0
    assert "does not exist yet" in shown.out
    assert gov("state", "tenant-7:roles", "--version", "3").code == 1


def test_a_request_is_named_by_the_end_of_its_id(gov: Gov) -> None:
    request = gov.grant()

    assert gov("show", request[-4:], "--json").json["request"]["id"] == request
    assert gov("show", request.upper(), "--json").json["request"]["id"] == request
    assert gov("show", request[-3:]).code == 2
    assert gov("show", "ffffffff0000").code == 1
    assert gov("show", "not an id").code == 2


def test_an_ending_that_several_share_is_refused(gov: Gov, monkeypatch: pytest.MonkeyPatch) -> None:
    gov.grant()
    monkeypatch.setattr(EventLog, "streams_ending", lambda log, text, topic: [f"request-1{text}", f"request-2{text}"])

    refused = gov("show", "abcd", "--json")

    assert refused.code == 2
    assert "1abcd, 2abcd" in refused.error["message"]


def test_reading_needs_no_application_and_deciding_and_running_do(gov: Gov) -> None:
    ran, request = gov.executed("bob"), gov.grant("ada")
    plain = Gov(gov.url, app=None)

    assert plain("state", STATE, "--json").json["value"] == {"admins": ["bob"], "auditors": []}
    assert plain("history", ran).code == 0
    assert plain("history", "--state", STATE).code == 0
    assert plain("why", request).code == 0
    assert plain("show", request, "--json").json["request"]["open_requirements"][0]["missing"] == 2
    assert plain("preview", request).code == 2
    for command in (("approve", request), ("execute", request), ("compensate", ran, "--reason", "r")):
        refused = plain(*command, "--as", LEAD)
        assert refused.code == 2
        assert "--app module:attribute" in refused.err


def test_quiet_prints_the_id_and_nothing_else(gov: Gov) -> None:
    asked = ("submit", "grant_admin", "--state", STATE, "--data", '{"user":"a"}', "--reason", "r", "--as", "g", "-q")

    told = gov(*asked).out

    assert gov("show", told.strip(), "--json").json["request"]["id"] + "\n" == told


def test_who_acts_can_come_from_the_environment(gov: Gov, monkeypatch: pytest.MonkeyPatch) -> None:
    request = gov.grant()
    monkeypatch.setenv("GOVERNANCE_ACTOR", LEAD)

    assert gov("approve", request).code == 0


def test_the_mutations_are_shown_with_their_schema(gov: Gov) -> None:
    told = {each["type"]: each for each in gov("mutations", "--json").json["mutations"]}

    assert told["grant_admin"]["schema"]["properties"]["user"]["type"] == "string"
    assert told["grant_admin"]["state_type"] == "Roles"
    assert "Make somebody an administrator." in gov("mutations").out


def test_the_store_is_made_and_looked_at(gov: Gov) -> None:
    made = gov("db", "init", "--json")
    gov.grant()
    status = gov("db", "status", "--json").json

    assert made.code == 0
    assert made.json["head"] == 0
    assert status["schema"]["pending"] == []
    assert status["head"] > 0
    assert "up to date" in gov("db", "status").out


def test_json_is_one_document_and_nothing_else(gov: Gov) -> None:
    request = gov.grant()
    for command in (("show", request), ("why", request), ("history", request), ("preview", request), ("state", STATE)):
        ended = gov(*command, "--json")
        assert ended.code == 0
        assert ended.err == ""
        assert json.loads(ended.out)
