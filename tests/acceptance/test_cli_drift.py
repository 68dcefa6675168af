"""Drift by `gov`: what was approved against what would run now, and saying yes again in one step."""

import pytest

from tests.commands import Ended, Gov

LEADS = ("alan", "edsger")


@pytest.fixture
def gov(store_url: str) -> Gov:
    return Gov(store_url)


def drifted(gov: Gov, *more: str) -> str:
    """Return a request that two leads have approved before the state moved."""
    request = gov.approved("ada", *more)
    gov.executed("bob")
    return request


def renewed(gov: Gov) -> str:
    """Return a request that has to be approved again, because the state moved."""
    request = drifted(gov, "--stale", "renew")
    assert gov("execute", request, "--as", "worker").code == 3
    return request


def again(gov: Gov, request: str, who: str, *more: str) -> Ended:
    return gov("reconfirm", request, "--as", f"{who}:security-lead", *more)


def test_diff_names_who_changed_what_since_the_approval(gov: Gov) -> None:
    request = drifted(gov)
    shown = gov("diff", request)
    assert shown.code == 0
    for told in (
        "approved by alan, edsger on version 0",
        "now at 1",
        "grace",
        "grant_admin",
        "/admins/-",
        "revalidated",
    ):
        assert told in shown.out, told
    report = gov("diff", request, "--json").json
    assert (report["outcome"], report["same"], report["matters"]) == ("revalidated", True, True)
    assert [each["version"] for each in report["changes"]] == [1]


def test_show_and_why_tell_what_changed_since_one_approved(gov: Gov) -> None:
    request = drifted(gov)
    for told in (gov("show", request), gov("why", request, "--as", "alan:security-lead")):
        assert "What changed since alan" in told.out
        assert "gov diff" in told.out
    assert gov("show", request, "--json").json["drift"]["current"] == 1
    assert gov("show", gov.grant("carol"), "--json").json["drift"] is None


def test_why_tells_who_can_say_yes_again_how(gov: Gov) -> None:
    request = renewed(gov)
    assert "gov reconfirm" in gov("why", request, "--as", "alan:security-lead").out
    assert "gov reconfirm" not in gov("why", request, "--as", "carol:security-lead").out


def test_diff_needs_no_application(gov: Gov) -> None:
    shown = Gov(gov.url, app=None)("diff", drifted(gov))
    assert shown.code == 0
    assert "give --app to see it" in shown.out


def test_yes_is_said_again_in_one_step(gov: Gov) -> None:
    request = renewed(gov)
    for lead in LEADS:
        report = gov("diff", request, "--as", f"{lead}:security-lead", "--json").json
        assert report["to_confirm"] == ["2.1"]
        assert again(gov, request, lead, "--seen", report["digest"]).code == 0
    assert gov("execute", request, "--as", "worker").code == 0


def test_yes_is_not_said_again_to_what_was_not_seen(gov: Gov) -> None:
    request = renewed(gov)
    assert again(gov, request, "alan").code == 2
    assert again(gov, request, "alan", "--json").error["rule"] == "input"
    assert again(gov, request, "alan", "--seen", "sha256:something else").code == 5
    assert gov("show", request, "--json").json["request"]["open_requirements"][0]["missing"] == 2


def test_who_never_said_yes_is_told_to_approve(gov: Gov) -> None:
    request = renewed(gov)
    digest = gov("diff", request, "--json").json["digest"]
    refused = again(gov, request, "carol", "--seen", digest)
    assert (refused.code, "approve it instead" in refused.err) == (1, True)


def test_diff_of_what_is_not_there_is_not_found(gov: Gov) -> None:
    gov.grant()
    assert gov("diff", "0198a000-0000-7000-8000-0000000000ff").code == 1
