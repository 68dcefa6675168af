"""What `gov doctor` says of requests that wait in vain, and of ways out that nobody can take."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from governance import (
    Actor,
    Governance,
    Mutation,
    approval,
    dependency,
    external_check,
    quota,
    schedule,
)
from governance.checks import Checker
from governance.domain.lifecycle import Status
from tests.cases import ALAN, EDSGER, GRACE, MUTATIONS, ROOT, START, WORKER, GrantAdmin
from tests.commands import gov
from tests.effect_cases import Receiver, Write, delivered, executed, opened

DAY = timedelta(days=1)
FOR_EVER = datetime(2126, 1, 1, tzinfo=UTC)
STAFF = {"lead": ["alan", "edsger"], "break-glass": ["nora"], "break-glass-review": ["olga"]}
APP = """
import json
from pathlib import Path
from governance import App, StaticDirectory
from tests.cases import MUTATIONS
from tests.effect_cases import Write

def office():
    roles = json.loads(Path("roles.json").read_text())
    return App(mutations=[*MUTATIONS, Write], directory=StaticDirectory(roles=roles))

class Down:
    async def members(self, kind, name):
        raise ConnectionError("no route")

down = App(mutations=MUTATIONS, directory=Down())
"""


@dataclass
class Office:
    """A store, and what its doctor finds with a directory."""

    url: str
    gov: Governance

    def staff(self, **roles: list[str]) -> None:
        Path("roles.json").write_text(json.dumps(STAFF | roles))

    def ask(self, *requires: Any, user: str = "ada", state: str = "tenant-42:roles") -> str:
        mutation = GrantAdmin(user=user)
        return self.gov.submit(mutation, state_id=state, actor=GRACE, reason="r", requires=requires).id

    def doctor(self, *arguments: str) -> Any:
        found = gov("doctor", "--json", *(arguments or ("--app", "doctors:office")))
        assert found.code in (0, 1), found.err
        return found.json

    def found(self, kind: str, *arguments: str) -> list[tuple[str, list[tuple[str, str | None]]]]:
        """Return what was found of a kind, and the requests and requirements that it names."""
        return [
            (each["what"], [(named["request_id"], named["requirement_id"]) for named in each["requests"]])
            for each in self.doctor(*arguments)["findings"]
            if each["kind"] == kind
        ]


@pytest.fixture
def office(store_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Office]:
    (tmp_path / "doctors.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOVERNANCE_URL", store_url)
    monkeypatch.delenv("GOVERNANCE_APP", raising=False)
    checkers = [Checker(name="scan", ask=lambda _: None)]
    mutations: list[type[Mutation[Any]]] = [*MUTATIONS]
    with Governance.open(store_url, mutations=mutations, checkers=checkers) as governance:
        office = Office(store_url, governance)
        office.staff()
        yield office


def test_requests_that_others_or_time_will_bring_on_are_no_finding(office: Office) -> None:
    office.gov.quotas.define("deploys", limit=1, per=DAY, actor=ROOT)
    office.gov.calendars.define("daily", zone="UTC", openings=[("0 3 * * *", timedelta(hours=1))], actor=ROOT)
    first = office.ask(approval(role="lead"), schedule(window="daily"))
    office.ask(dependency(first), user="bob")
    office.ask(schedule(not_before=FOR_EVER), quota("deploys"), user="cid")
    office.ask(quota("deploys"), user="dan", state="s")
    office.ask(external_check("scan"), user="eve")
    office.gov.run_due()
    found = office.doctor()
    assert (found["findings"], found["unsatisfiable"]) == ([], [])
    assert [each["role"] for each in found["unheld_roles"]] == ["window-override", "checker"]
    assert (
        "Nobody holds the role window-override (gov window override)." in gov("doctor", "--app", "doctors:office").out
    )


def test_approval_whose_role_was_emptied_names_who_could_still_help(office: Office) -> None:
    request = office.ask(approval(role="lead"))
    office.staff(lead=[])
    assert [each["request_id"] for each in office.doctor()["unsatisfiable"]] == [request]
    assert office.found("dead-way-out") == []
    office.staff(**{"lead": [], "break-glass": []})
    what, which = office.found("dead-way-out")[0]
    assert "nobody holds the role break-glass" in what
    assert which == [(request, "1.1")]
    assert "gov reassign" in gov("doctor", "--app", "doctors:office").out


def test_who_decided_in_one_step_is_not_counted_for_another_that_asks_for_somebody_else(office: Office) -> None:
    both = [approval(role="lead"), approval(role="lead", step=2, different_from_step=1)]
    request = office.ask(*both)
    office.gov.approve(request, actor=ALAN)
    assert office.doctor()["unsatisfiable"] == []
    office.staff(lead=["alan"])
    assert [each["requirement_id"] for each in office.doctor()["unsatisfiable"]] == ["1.2"]


def test_delegate_counts_for_a_delegator_who_left(office: Office) -> None:
    request = office.ask(approval(role="lead"))
    office.gov.delegate(request, actor=ALAN, to="tony", until=FOR_EVER)
    office.staff(lead=[])
    assert office.doctor()["unsatisfiable"] == []
    assert office.found("dead-delegation") == []


def test_delegation_to_somebody_who_cannot_decide_any_more(office: Office) -> None:
    request = office.ask(approval(role="lead", quorum=2))
    office.gov.delegate(request, actor=ALAN, to="edsger", until=FOR_EVER)
    assert office.found("dead-delegation") == []
    office.gov.approve(request, actor=EDSGER)
    what, which = office.found("dead-delegation")[0]
    assert "alan has handed requirement 1.1 on to edsger" in what
    assert which == [(request, "1.1")]


def test_delegation_that_is_over_and_cannot_go_back(office: Office) -> None:
    with Governance.open(office.url, mutations=MUTATIONS, clock=lambda: START) as before:
        request = before.submit(
            GrantAdmin(user="ada"), state_id="s", actor=GRACE, reason="r", requires=[approval(role="lead")]
        ).id
        before.delegate(request, actor=ALAN, to="tony", until=START + DAY)
    assert office.found("dead-delegation") == []
    office.staff(lead=["edsger"])
    assert "alan cannot decide any more" in office.found("dead-delegation")[0][0]


def test_open_review_that_only_who_broke_the_glass_could_close(office: Office) -> None:
    request = office.ask(approval(role="lead"))
    office.gov.break_glass(request, actor=Actor(id="nora", roles=("break-glass",)), reason="fire")
    assert office.found("dead-way-out") == []
    office.staff(**{"break-glass-review": ["nora"]})
    what, which = office.found("dead-way-out")[0]
    assert "break-glass-review" in what
    assert which == [(request, None)]


def test_directory_that_does_not_answer_is_told_and_the_rest_is_looked_at(office: Office) -> None:
    office.gov.calendars.freeze("all", ends=None, reason="outage", actor=ROOT)
    office.ask(approval(role="lead"), schedule(window="all"))
    arguments = ("--app", "doctors:down")
    assert "no route" in office.found("directory", *arguments)[0][0]
    assert office.doctor(*arguments)["unsatisfiable"] == []


def test_calendar_that_stays_closed_names_who_waits_and_who_may_let_them_out(office: Office) -> None:
    past = (START, START + DAY)
    office.gov.calendars.define("migration", zone="UTC", openings=[], also_open=[past], actor=ROOT)
    request = office.ask(schedule(window="migration"))
    later = office.ask(approval(role="lead"), schedule(window="migration"), user="bob")
    office.gov.run_due()
    what, which = office.found("closed-calendar")[0]
    assert "calendar migration does not open any more" in what
    assert set(which) == {(request, "1.1"), (later, "1.2")}
    assert "window-override" in office.found("dead-way-out")[0][0]
    office.staff(**{"window-override": ["olga"]})
    assert office.found("dead-way-out") == []


def test_freeze_without_an_end_holds_what_was_approved(office: Office) -> None:
    request = office.ask()
    office.gov.calendars.freeze("all", ends=None, reason="outage", actor=ROOT)
    office.gov.execute(request, actor=WORKER)
    office.gov.run_due()
    what, which = office.found("closed-calendar")[0]
    assert "everything is frozen until that is lifted (outage)" in what
    assert which == [(request, "1.1")]


def test_calendar_that_opens_but_not_from_the_time_asked_for(office: Office) -> None:
    soon = datetime.now(UTC) + DAY
    office.gov.calendars.define("migration", zone="UTC", openings=[], also_open=[(soon, soon + DAY)], actor=ROOT)
    request = office.ask(schedule(window="migration", not_before=soon + 2 * DAY))
    office.gov.run_due(soon + 3 * DAY)
    assert [which for _, which in office.found("closed-calendar")] == [[(request, "1.1")]]


def test_quota_made_smaller_than_what_is_asked_for(office: Office) -> None:
    office.gov.quotas.define("deploys", limit=3, per=DAY, actor=ROOT)
    large = office.ask(quota("deploys", 3))
    small = office.ask(quota("deploys"), user="bob", state="s")
    office.gov.quotas.define("deploys", limit=2, per=DAY, actor=ROOT)
    office.gov.run_due()
    what, which = office.found("small-quota")[0]
    assert what == "quota deploys has 2 tokens per window, and more are asked for: 1 request waits"
    assert which == [(large, "1.1")]
    assert office.gov.request(small).status is Status.EXECUTED
    office.gov.quotas.define("deploys", limit=4, per=DAY, actor=ROOT)
    office.gov.run_due()
    assert office.found("small-quota") == []


def test_dependency_that_will_never_come(office: Office) -> None:
    first = office.ask(approval(role="lead"))
    waiting = office.ask(dependency(first, on_failure="wait"), user="bob")
    office.gov.cancel(first, actor=GRACE)
    office.gov.run_due()
    what, which = office.found("dead-dependency")[0]
    assert f"request {first} is canceled and will not be executed" in what
    assert which == [(waiting, "1.1")]


def test_dependency_on_effects_that_are_parked(office: Office) -> None:
    with opened(office.url, Receiver(failures=9).handler, effect_attempts=1) as writing:
        request = executed(writing)
        delivered(writing)
        waits = dependency(request, until="delivered")
        waiting = writing.submit(Write(), state_id="b", actor=GRACE, reason="r", requires=[waits]).id
        writing.run_due()
    what, which = office.found("dead-dependency")[0]
    assert f"request {request} has effects that are parked" in what
    assert which == [(waiting, "1.1")]


def test_check_that_no_checker_here_answers_for(office: Office) -> None:
    request = office.ask(external_check("scan"))
    with Governance.open(office.url, mutations=MUTATIONS) as without:
        without.run_due()
    assert office.found("unknown-checker") == [("no checker scan is registered here", [(request, "1.1")])]
    assert "checker" in office.found("dead-way-out")[0][0]


def test_what_fails_again_and_again(office: Office) -> None:
    request = office.ask(external_check("scan"))
    with Governance.open(office.url, mutations=MUTATIONS) as without:
        for number in range(4):
            without.run_due(datetime.now(UTC) + number * DAY)
    assert office.found("keeps-failing")[0][1] == [(request, "1.1")]


@pytest.mark.parametrize(("setting", "found"), [("released", 1), ("never", 2), ("all", 0)])
def test_approved_requests_that_nobody_executes(
    office: Office, setting: str, found: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOVERNANCE_EXECUTE_AUTOMATICALLY", setting)
    with Governance.open(office.url, mutations=MUTATIONS, clock=lambda: START) as before:
        plain = before.submit(GrantAdmin(user="ada"), state_id="a", actor=GRACE, reason="r").id
        asked = [approval(role="lead")]
        waited = before.submit(GrantAdmin(user="ada"), state_id="b", actor=GRACE, reason="r", requires=asked).id
        before.approve(waited, actor=ALAN)
        assert before.request(waited).status is Status.APPROVED
    told = office.found("not-executed")
    assert [sorted(which) for _, which in told] == (
        [sorted([(plain, "request"), (waited, "request")][:found])] if found else []
    )


def test_approved_batch_that_nobody_executes(office: Office) -> None:
    with Governance.open(office.url, mutations=MUTATIONS, clock=lambda: START) as before:
        items = [{"mutation": GrantAdmin(user=user), "state_id": "a"} for user in ("ada", "bob")]
        batch = before.submit_batch(items, atomic=True, actor=GRACE, reason="r")
    (told,) = office.found("batch-not-executed")
    assert {request for request, _ in told[1]} == {each.id for each in batch.requests}
