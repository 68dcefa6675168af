"""Conditions in policy files: what they ask for, and what is wrong with them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from governance import Actor, ConfigurationError, Governance, schedule
from governance.checks import Checker
from governance.declarative.loading import load_policies
from tests.cases import GRACE, HOUR, MUTATIONS, ROOT, START, GrantAdmin

TEXT = """\
version: 1
requirements:
  at-night: {schedule: {window: nightly, not_after: 2026-03-09T00:00:00Z}}
  few: {quota: {key: "grants:all", tokens: 2}}
  ticket: {external_check: {timeout: 2d, on_timeout: wait}}
  lead: {role: lead}
policies:
  - name: careful
    applies_to: grant_admin
    then: {require: [at-night, few, ticket, lead]}
"""


def test_file_asks_for_every_kind_of_condition(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(TEXT)
    policies = load_policies(tmp_path / "p.yaml", mutations=MUTATIONS)
    checkers = [Checker(name="ticket")]
    with Governance.open(
        "sqlite://", mutations=MUTATIONS, policies=policies, checkers=checkers, clock=lambda: START
    ) as gov:
        gov.calendars.define("nightly", zone="UTC", openings=[("0 1 * * *", HOUR)], actor=ROOT)
        gov.quotas.define("grants:*", limit=5, per=HOUR, actor=ROOT)
        request = gov.submit(GrantAdmin(user="ada"), state_id="s", actor=GRACE, reason="r")
        asked: dict[str, Any] = {each.asked.kind: each.asked for each in request.requirements}
        until = datetime(2026, 3, 9, tzinfo=UTC)
        assert asked["schedule"] == schedule(window="nightly", not_after=until, name="at-night")
        assert (asked["quota"].key, asked["quota"].tokens) == ("grants:all", 2)
        assert (asked["external_check"].name, asked["external_check"].timeout) == ("ticket", timedelta(days=2))
        assert asked["approval"].approvers[0].matches(Actor(id="x", roles=("lead",)))


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("{schedule: {window: nightly}, role: lead}", "either an approval or one of"),
        ("{schedule: {window: nightly}, quota: {key: k}}", "either an approval or one of"),
        ("{schedule: {}}", "a schedule needs"),
        ("{schedule: {window: ' '}}", "blank"),
        ("{schedule: {not_before: 2026-03-09T00:00:00}}", "not_before"),
        ("{schedule: {at: noon}}", "at"),
        ("{quota: {key: k, tokens: 0}}", "tokens"),
        ("{quota: {}}", "key"),
        ("{external_check: {timeout: soon}}", "timeout"),
        ("{external_check: {on_timeout: shrug}}", "on_timeout"),
    ],
)
def test_wrong_conditions_are_refused_with_file_and_line(tmp_path: Path, part: str, told: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(f"version: 1\nrequirements:\n  a: {part}\npolicies: [{{name: p, then: {{require: a}}}}]\n")
    with pytest.raises(ConfigurationError, match=told) as caught:
        load_policies(file)
    assert "p.yaml" in str(caught.value)
