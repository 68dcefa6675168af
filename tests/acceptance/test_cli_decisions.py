"""Deciding by `gov`, on both databases: who may, who may not, and what is said of it."""

import pytest

from tests.commands import Gov

LEAD = "alan:security-lead"


@pytest.fixture
def gov(store_url: str) -> Gov:
    return Gov(store_url)


def test_nobody_approves_their_own_request(gov: Gov) -> None:
    refused = gov("approve", gov.grant(), "--as", "grace:security-lead", "--json")

    assert (refused.code, refused.error["rule"]) == (4, "self-approval")


@pytest.mark.parametrize("actor", ["bob", "bob:other", "bob:group=security-lead"])
def test_who_is_not_asked_may_not_approve_and_learns_how_to_name_roles(gov: Gov, actor: str) -> None:
    refused = gov("approve", gov.grant(), "--as", actor)

    assert refused.code == 4
    assert "not-authorized" in refused.err
    assert "--as NAME:ROLE" in refused.err


def test_a_no_ends_the_request(gov: Gov) -> None:
    request = gov.grant()

    ended = gov("reject", request, "--as", LEAD, "--reason", "not now", "--code", "timing", "--json").json["request"]

    assert ended["status"] == "rejected"
    assert gov("approve", request, "--as", "edsger:security-lead").code == 4
    assert "not now" in gov("why", request).out


def test_a_decision_can_be_taken_back(gov: Gov) -> None:
    request = gov.grant()
    gov("approve", request, "--as", LEAD)

    back = gov("withdraw", request, "--as", "alan", "--reason", "looked again", "--json")

    assert back.json["request"]["open_requirements"][0]["missing"] == 2
    assert gov("withdraw", request, "--as", "alan").code == 1


def test_only_who_asked_and_administrators_cancel(gov: Gov) -> None:
    request = gov.grant()

    assert gov("cancel", request, "--as", "mallory").code == 4
    assert gov("cancel", request, "--as", "grace", "--json").json["request"]["status"] == "canceled"
    assert gov("cancel", gov.grant(), "--as", "root:kind=administrator").code == 0


def test_comments_are_part_of_the_history(gov: Gov) -> None:
    request = gov.grant()
    assert gov("comment", request, "is that urgent?", "--as", "alan").code == 0

    told = gov("history", request, "--json").json["events"]

    assert told[-1]["type"] == "Commented"
    assert told[-1]["event"]["text"] == "is that urgent?"
    assert "is that urgent?" in gov("history", request).out


def test_expiring_what_is_not_due_is_refused(gov: Gov) -> None:
    assert gov("expire", gov.grant()).code == 4


def test_a_decision_can_be_handed_on(gov: Gov) -> None:
    request = gov.grant()
    until = "2199-01-01T00:00:00Z"

    handed = gov("delegate", request, "--as", LEAD, "--to", "carol", "--until", until)

    assert handed.code == 0, handed
    assert gov("approve", request, "--as", "carol", "--json").code == 0
    assert "carol" in gov("show", request).out


def test_broken_glass_is_reviewed(gov: Gov) -> None:
    request = gov.grant()

    assert gov("break-glass", request, "--as", "ops", "--reason", "fire").code == 4
    broken = gov("break-glass", request, "--as", "ops:break-glass", "--reason", "fire", "--json")
    assert broken.json["request"]["status"] == "approved"
    assert gov("execute", request, "--as", "ops").code == 0
    reviewed = gov("review", request, "--justified", "--comment", "it burnt", "--as", "root:kind=administrator")
    assert reviewed.code == 0
    assert "it burnt" in gov("history", request).out


def test_others_can_be_asked_instead(gov: Gov) -> None:
    request = gov.grant()
    instead = ("reassign", request, "--requirement", "1.1", "--to", "carol", "--to", "role=boss", "--reason", "holiday")

    assert gov(*instead, "--as", "mallory").code == 4
    assert gov(*instead, "--as", "root:kind=administrator").code == 0
    assert gov("approve", request, "--as", "carol").code == 0


def test_what_was_seen_has_to_be_there_still(gov: Gov) -> None:
    request = gov.grant()
    seen = gov("why", request, "--json").json["digest"]

    assert gov("approve", request, "--as", LEAD, "--seen", "something else").code == 5
    assert gov("approve", request, "--as", LEAD, "--seen", seen).code == 0
    assert gov("approve", request, "--as", "edsger:security-lead", "--expected-version", "1").code == 5


def test_why_says_whether_one_may(gov: Gov) -> None:
    request = gov.grant()

    assert "you may decide on it" in gov("why", request, "--as", LEAD).out
    assert "you may not" in gov("why", request, "--as", "bob").out
    told = gov("why", request, "--as", "grace:security-lead", "--json").json["requirements"][0]
    assert told["actor_may"] is False
    assert "stands behind" in told["actor_may_not_because"]
