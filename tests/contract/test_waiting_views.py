"""What explains, lists and tells a request that waits for conditions, on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from governance import Governance, approval, dependency, external_check, quota, schedule
from governance.audit.lawful import LawfulRequest
from governance.checks import Checker
from governance.cli.timeline import sentence
from projections import Projections, Views
from tests.cases import ALAN, GRACE, HOUR, MUTATIONS, ROOT, START, GrantAdmin

BERLIN_NIGHT = datetime(2026, 3, 3, 1, 30, tzinfo=UTC)


class Waiting:
    """A store with one request of each kind and one of all."""

    def __init__(self, url: str) -> None:
        self.now = START
        self.gov = Governance.open(url, mutations=MUTATIONS, checkers=[Checker(name="scan")], clock=lambda: self.now)
        night = [("30 2 * * *", 2 * HOUR)]
        self.gov.calendars.define("nightly", zone="Europe/Berlin", openings=night, actor=ROOT)
        self.gov.quotas.define("deploys", limit=1, per=timedelta(days=1), actor=ROOT)
        self.first = self.ask("u0", approval(role="lead"))
        conditions = {
            "schedule": schedule(window="nightly", not_before=START + HOUR, not_after=START + 99 * HOUR),
            "dependency": dependency(self.first),
            "quota": quota("deploys"),
            "external_check": external_check("scan", timeout=30 * HOUR),
        }
        self.by_kind = {kind: self.ask(f"u-{kind}", each) for kind, each in conditions.items()}
        self.all = self.ask("u-all", *conditions.values(), approval(role="lead"))

    def ask(self, user: str, *requires: Any) -> str:
        mutation = GrantAdmin(user=user)
        return self.gov.submit(mutation, state_id=f"s-{user}", actor=GRACE, reason="r", requires=requires).id


@pytest.fixture
def waiting(store_url: str) -> Iterator[Waiting]:
    made = Waiting(store_url)
    yield made
    made.gov.close()


def test_explanation_says_what_is_missing_who_supplies_it_and_from_when(waiting: Waiting) -> None:
    waiting.gov.run_due()
    explained = waiting.gov.explain(waiting.all, actor=ALAN)
    told = {each.kind: each for each in explained.requirements}
    assert set(told) == {"approval", *waiting.by_kind}
    assert all(each.active and each.missing for each in explained.requirements)
    assert told["schedule"].who == ("calendar nightly",)
    assert told["schedule"].earliest == BERLIN_NIGHT
    assert told["schedule"].expires_at == START + 99 * HOUR
    assert told["dependency"].who == (f"request {waiting.first}",)
    assert told["quota"].who == ("quota deploys",)
    assert told["external_check"].who == ("check scan",)
    assert told["external_check"].expires_at == START + 30 * HOUR
    assert told["approval"].actor_may is True
    assert all(told[kind].text.split(" ", 2)[2] in explained.text for kind in told)


def test_views_find_requests_by_what_they_wait_for(waiting: Waiting, store_url: str) -> None:
    with Projections.open(store_url) as projections:
        projections.catch_up()
    with Views.open(store_url) as views:
        for kind, request in waiting.by_kind.items():
            found = {each.request_id for each in views.requests(pending_reason=kind).items}
            assert found == {request, waiting.all}
        assert {each.request_id for each in views.inbox(ALAN).items} == {waiting.first, waiting.all}
        assert {each.request_id for each in views.approvals().items} == {waiting.first, waiting.all}
        due = {(each.request_id, each.due): each.due_at for each in views.agenda().items}
        scheduled = waiting.by_kind["schedule"]
        assert due[scheduled, "schedule"] == START + HOUR
        assert due[scheduled, "schedule-deadline"] == START + 99 * HOUR
        assert due[waiting.by_kind["external_check"], "external_check-deadline"] == START + 30 * HOUR


def test_views_forget_what_has_come_back(waiting: Waiting, store_url: str) -> None:
    waiting.gov.record_check(waiting.by_kind["external_check"], check="scan", passed=True, actor=ROOT)
    waiting.gov.approve(waiting.first, actor=ALAN)
    waiting.now = BERLIN_NIGHT
    waiting.gov.run_due()
    with Projections.open(store_url) as projections:
        projections.catch_up()
    with Views.open(store_url) as views:
        executed = {each.request_id for each in views.requests(status="executed").items}
        assert executed == {waiting.first, *waiting.by_kind.values()}
        assert {each.request_id for each in views.agenda().items} == {waiting.all}


def test_every_event_of_it_has_a_sentence_and_the_audit_finds_nothing_wrong(waiting: Waiting, store_url: str) -> None:
    waiting.gov.record_check(waiting.all, check="scan", passed=True, actor=ROOT, evidence={"run": 1})
    waiting.gov.approve(waiting.all, actor=ALAN)
    waiting.gov.approve(waiting.first, actor=ALAN)
    waiting.now = BERLIN_NIGHT
    waiting.gov.run_due()
    waiting.gov.calendars.freeze("all", ends=None, reason="outage", actor=ROOT)
    waiting.now += timedelta(days=1)
    waiting.gov.run_due()
    waiting.gov.override_window(waiting.all, actor=ROOT, reason="fire")
    waiting.gov.run_due()
    history = waiting.gov.history(waiting.all)
    sentences = [sentence(each.event) for each in history]
    assert not [each for each in sentences if "{" in each and "requirement_id" in each]
    assert {"QuotaReserved", "WindowOverridden", "DependencySatisfied", "Executed"} <= {
        type(each.event).__name__ for each in history
    }
    lawful = LawfulRequest()
    assert [problem for each in history for problem in lawful.take(each)] == []
