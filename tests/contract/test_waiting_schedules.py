"""Schedules, windows, freezes, expiries and dependencies, through `run_due`, on both databases."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import freezegun
import pytest

from governance import (
    Actor,
    ConfigurationError,
    Governance,
    InputError,
    NotAuthorizedError,
    NotDueError,
    NotFoundError,
    SelfApprovalError,
    Settings,
    StaticDirectory,
    allow,
    approval,
    dependency,
    policy,
    quota,
    require,
    schedule,
)
from governance.domain.lifecycle import Status
from governance.engines.engine import DueReport
from tests.cases import ALAN, GRACE, HOUR, MUTATIONS, ROOT, START, WORKER, Add, GrantAdmin, Roles
from tests.clocks import Clock
from tests.postgres_databases import Databases

pytestmark = pytest.mark.as_application

DAY = timedelta(days=1)
BERLIN_NIGHT = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)  # 2:30 in Berlin


@pytest.fixture
def gov(store_url: str, clock: Clock) -> Iterator[Governance]:
    with Governance.open(store_url, mutations=MUTATIONS, clock=clock) as governance:
        yield governance


def grant(gov: Governance, user: str = "ada", *requires: Any, **others: Any) -> str:
    request = gov.submit(
        GrantAdmin(user=user), state_id="tenant-42:roles", actor=GRACE, reason="r", requires=requires, **others
    )
    return request.id


def told(report: DueReport) -> list[tuple[str, str]]:
    return [(each.item.engine, each.what) for each in report.performed]


def nightly(gov: Governance, zone: str = "Europe/Berlin") -> None:
    """Open every night from 2:30 on for two hours."""
    gov.calendars.define("nightly", zone=zone, openings=[("30 2 * * *", 2 * HOUR)], actor=ROOT)


def test_request_waits_for_its_time_and_then_runs_by_itself(gov: Governance, clock: Clock) -> None:
    request = grant(gov, "ada", schedule(not_before=START + HOUR))
    assert gov.request(request).pending_reasons == ("schedule",)
    assert gov.run_due().performed == ()
    clock.pass_time(HOUR - timedelta(microseconds=1))
    assert gov.run_due().performed == ()
    clock.pass_time(timedelta(microseconds=1))
    assert told(gov.run_due()) == [("schedule", "released"), ("execution", "executed")]
    assert [each.code for each in gov.request(request).decisions][-4:] == [
        "ScheduleReached", "Approved", "VersionResolved", "Executed",
    ]  # fmt: skip
    assert gov.run_due().performed == ()
    assert gov.state("tenant-42:roles").value == Roles(admins=("ada",))


def test_a_time_that_has_passed_is_no_wait(gov: Governance) -> None:
    request = grant(gov, "ada", schedule(not_before=START - HOUR))
    gov.run_due()
    assert gov.request(request).status is Status.EXECUTED


def test_request_that_has_not_run_at_its_last_time_expires(gov: Governance, clock: Clock) -> None:
    waiting = grant(gov, "ada", schedule(not_after=START + HOUR), approval(role="lead"))
    approved = grant(gov, "bob", schedule(not_after=START + HOUR))
    gov.run_due(limit=2)
    assert gov.request(approved).status is Status.APPROVED
    clock.pass_time(HOUR)
    assert told(gov.run_due()) == [("expiry", "expired"), ("expiry", "expired")]
    assert {gov.request(each).status for each in (waiting, approved)} == {Status.EXPIRED}


def test_approved_request_past_its_last_time_expires_when_executed(gov: Governance, clock: Clock) -> None:
    request = grant(gov, "ada", schedule(not_after=START + HOUR))
    gov.run_due(limit=1)
    clock.pass_time(2 * HOUR)
    outcome = gov.execute(request, actor=WORKER)
    assert not outcome.executed
    assert outcome.request.status is Status.EXPIRED


def test_window_is_waited_for_and_opens(gov: Governance, clock: Clock) -> None:
    nightly(gov)
    request = grant(gov, "ada", schedule(window="nightly"))
    assert told(gov.run_due()) == [("schedule", "waits")]
    assert gov.run_due().performed == (), "it is put off to the opening"
    clock.now = BERLIN_NIGHT + DAY - timedelta(seconds=1)
    assert gov.run_due().performed == ()
    clock.now = BERLIN_NIGHT + DAY
    assert told(gov.run_due()) == [("schedule", "released"), ("execution", "executed")]
    reached = next(each.event for each in gov.history(request) if type(each.event).__name__ == "ScheduleReached")
    assert (reached.window, reached.calendar_version) == ("nightly", 1)  # type: ignore[union-attr]


def test_window_comes_after_the_approval(gov: Governance, clock: Clock) -> None:
    nightly(gov)
    request = grant(gov, "ada", schedule(window="nightly"), approval(role="lead"))
    clock.now = BERLIN_NIGHT + DAY
    assert told(gov.run_due()) == [("schedule", "waits")], "nobody has approved"
    gov.approve(request, actor=ALAN)
    assert gov.request(request).pending_reasons == ("schedule",)
    assert told(gov.run_due()) == [("schedule", "released"), ("execution", "executed")]


def test_approval_outside_the_window_waits_for_the_next(gov: Governance, clock: Clock) -> None:
    nightly(gov)
    request = grant(gov, "ada", schedule(window="nightly"), approval(role="lead"))
    clock.now = BERLIN_NIGHT + DAY
    gov.run_due()
    clock.now = BERLIN_NIGHT + DAY + 3 * HOUR
    gov.approve(request, actor=ALAN)
    assert told(gov.run_due()) == [("schedule", "waits")]
    clock.now = BERLIN_NIGHT + 2 * DAY
    assert told(gov.run_due()) == [("schedule", "released"), ("execution", "executed")]


def test_new_version_of_a_calendar_wakes_who_waits_for_it(gov: Governance, clock: Clock) -> None:
    nightly(gov)
    request = grant(gov, "ada", schedule(window="nightly"))
    gov.run_due()
    gov.calendars.define("nightly", zone="UTC", openings=[("0 9 * * *", HOUR)], actor=ROOT)
    assert told(gov.run_due()) == [("schedule", "released"), ("execution", "executed")]
    assert gov.request(request).status is Status.EXECUTED


def test_freeze_beats_the_window_and_lifting_it_wakes(gov: Governance, clock: Clock) -> None:
    nightly(gov)
    request = grant(gov, "ada", schedule(window="nightly"))
    gov.calendars.freeze("nightly", ends=None, reason="end of quarter", actor=ROOT)
    clock.now = BERLIN_NIGHT + DAY
    assert told(gov.run_due()) == [("schedule", "waits")]
    gov.calendars.lift("nightly", "f2", actor=ROOT)
    assert told(gov.run_due()) == [("schedule", "released"), ("execution", "executed")]
    assert gov.request(request).status is Status.EXECUTED


@pytest.mark.parametrize("calendar", ["nightly", "all"])
def test_freeze_declared_later_holds_an_approved_request(gov: Governance, clock: Clock, calendar: str) -> None:
    nightly(gov)
    request = grant(gov, "ada", schedule(window="nightly"))
    clock.now = BERLIN_NIGHT + DAY
    gov.run_due()
    other = grant(gov, "bob", schedule(window="nightly"))
    gov.run_due(limit=1)
    assert gov.request(other).status is Status.APPROVED
    gov.calendars.freeze(calendar, ends=clock.now + HOUR, reason="outage", actor=ROOT)
    assert "may not run now" in gov.explain(other).text
    outcome = gov.execute(other, actor=WORKER)
    assert not outcome.executed
    assert outcome.request.status is Status.PENDING
    assert outcome.request.pending_reasons == ("schedule",)
    assert "outage" in str(gov.history(other)[-1].event)
    clock.pass_time(HOUR - timedelta(seconds=1))
    gov.run_due()
    assert gov.request(other).status is Status.PENDING
    clock.pass_time(timedelta(seconds=1))
    assert told(gov.run_due()) == [("schedule", "released"), ("execution", "executed")]
    assert gov.request(request).status is Status.EXECUTED


def test_freeze_of_everything_holds_who_asks_for_no_window(gov: Governance, clock: Clock) -> None:
    gov.calendars.freeze("all", ends=clock.now + HOUR, reason="outage", actor=ROOT)
    outcome = gov.run(GrantAdmin(user="ada"), state_id="s", actor=GRACE, reason="r")
    assert not outcome.executed
    assert outcome.request.pending_reasons == ("schedule",)
    approved = grant(gov, "bob", approval(role="lead"))
    gov.approve(approved, actor=ALAN)
    assert told(gov.run_due()) == [("schedule", "waits"), ("execution", "pending"), ("schedule", "waits")]
    clock.pass_time(HOUR)
    gov.run_due()
    assert {gov.request(each).status for each in (outcome.request.id, approved)} == {Status.EXECUTED}


def test_other_process_sees_the_freeze(store_url: str, clock: Clock) -> None:
    settings = Settings()
    with (
        Governance.open(store_url, mutations=MUTATIONS, clock=clock, settings=settings) as one,
        Governance.open(store_url, mutations=MUTATIONS, clock=clock, settings=settings) as other,
    ):
        request = grant(other)
        one.calendars.freeze("all", ends=None, reason="outage", actor=ROOT)
        assert not other.execute(request, actor=WORKER).executed


def test_broken_glass_and_override_run_during_a_freeze(gov: Governance, clock: Clock) -> None:
    nightly(gov)
    gov.calendars.freeze("all", ends=None, reason="outage", actor=ROOT)
    glass = grant(gov, "ada", approval(role="lead"), schedule(window="nightly"))
    gov.break_glass(glass, actor=Actor(id="nora", roles=("break-glass",)), reason="fire")
    assert gov.execute(glass, actor=WORKER).executed
    over = grant(gov, "bob", schedule(window="nightly"))
    keeper = Actor(id="olga", roles=("window-override",))
    assert gov.override_window(over, actor=keeper, reason="customer is down").status is Status.APPROVED
    assert gov.execute(over, actor=WORKER).executed


def test_what_would_hold_a_request_is_told_before_it_is_asked_for(gov: Governance, clock: Clock) -> None:
    nightly(gov)
    later = START + 2 * DAY

    def held(*requires: Any) -> list[tuple[str, datetime | None]]:
        simulated = gov.submit(
            GrantAdmin(user="ada"), state_id="s", actor=GRACE, reason="r", requires=requires, mode="simulate"
        )
        return [(each.because, each.until) for each in gov.held(simulated)]

    assert held(approval(role="lead")) == []
    opens = BERLIN_NIGHT + DAY
    assert held(schedule(window="nightly")) == [(f"calendar nightly is closed until {opens.isoformat()}", opens)]
    assert held(schedule(not_before=later)) == [(f"it is not to run before {later.isoformat()}", later)]
    other = grant(gov, "bob", approval(role="lead"))
    assert held(dependency(other)) == [(f"request {other} is not executed", None)]
    gov.quotas.define("deploys", limit=1, per=DAY, actor=ROOT)
    assert held(quota("deploys")) == []
    grant(gov, "cid", quota("deploys"))
    gov.run_due()
    midnight = START.replace(hour=0) + DAY
    assert held(quota("deploys")) == [("quota deploys has no 1 free", midnight)]
    gov.calendars.freeze("all", ends=later, reason="audit", actor=ROOT)
    frozen = f"everything is frozen until {later.isoformat()}: audit"
    assert held() == [(frozen, later)]
    assert held(approval(role="lead"), dependency(other)) == [
        (f"request {other} is not executed", None),
        (frozen, later),
    ]
    opens = BERLIN_NIGHT + 3 * DAY
    assert held(schedule(window="nightly")) == [
        (f"calendar nightly is frozen (audit) until {opens.isoformat()}", opens)
    ]
    gov.calendars.freeze("all", ends=None, reason="outage", actor=ROOT)
    assert held() == [("everything is frozen until it is lifted: outage", None)]


def test_what_holds_a_request_is_told_by_preview_and_explain_until_nothing_does(gov: Governance, clock: Clock) -> None:
    request = grant(gov, "ada", approval(role="lead"))
    gov.calendars.freeze("all", ends=START + HOUR, reason="outage", actor=ROOT)
    for held in (gov.preview(request).held, gov.explain(request).held, gov.held(request)):
        assert [(each.until, each.requirement) for each in held] == [(START + HOUR, None)]
    gov.approve(request, actor=ALAN)
    assert "frozen" in gov.explain(request).text
    clock.pass_time(HOUR)
    assert gov.preview(request).held == gov.explain(request).held == ()
    gov.calendars.freeze("all", ends=None, reason="outage", actor=ROOT)
    assert len(gov.held(request)) == 1
    gov.override_window(gov.execute(request, actor=WORKER).request.id, actor=ROOT, reason="fire")
    assert gov.held(request) == ()
    glass = grant(gov, "bob", approval(role="lead"))
    gov.break_glass(glass, actor=Actor(id="nora", roles=("break-glass",)), reason="fire")
    assert gov.held(glass) == ()
    gov.execute(glass, actor=WORKER)
    assert gov.held(glass) == (), "what has run waits for nothing"


def test_who_may_override_is_what_the_directory_says(store_url: str, clock: Clock) -> None:
    directory = StaticDirectory(roles={"window-override": ["olga"]})
    with Governance.open(store_url, mutations=MUTATIONS, clock=clock, directory=directory) as gov:
        nightly(gov)
        request = grant(gov, "ada", schedule(window="nightly"))
        with pytest.raises(NotAuthorizedError):
            gov.override_window(request, actor=Actor(id="mallory", roles=("window-override",)), reason="I say so")
        assert gov.override_window(request, actor=Actor(id="olga"), reason="fire").status is Status.APPROVED


def test_override_is_an_approval_by_somebody_else_and_meets_nothing_else(gov: Governance, clock: Clock) -> None:
    nightly(gov)
    request = grant(gov, "ada", approval(role="lead"), schedule(window="nightly", not_before=START + HOUR))
    with pytest.raises(SelfApprovalError):
        gov.override_window(request, actor=Actor(id=GRACE.id, roles=("window-override",)), reason="mine")
    with pytest.raises(NotAuthorizedError):
        gov.override_window(request, actor=ALAN, reason="please")
    overridden = gov.override_window(request, actor=ROOT, reason="customer is down")
    assert overridden.pending_reasons == ("approval", "schedule")
    gov.approve(request, actor=ALAN)
    gov.run_due()
    assert gov.request(request).pending_reasons == ("schedule",), "not_before stays"
    clock.pass_time(HOUR)
    assert told(gov.run_due())[-1] == ("execution", "executed")


def test_what_can_never_be_met_is_refused_at_submit(gov: Governance) -> None:
    before = gov.log.head()
    with pytest.raises(ConfigurationError, match="no calendar nowhere"):
        grant(gov, "ada", schedule(window="nowhere"))
    with pytest.raises(ConfigurationError, match="has passed already"):
        grant(gov, "ada", schedule(not_after=START))
    with pytest.raises(ConfigurationError, match="later than not_before"):
        schedule(not_before=START, not_after=START)
    with pytest.raises(ConfigurationError, match="a schedule needs"):
        schedule()
    with pytest.raises(InputError, match="not_before"):
        schedule(not_before=datetime(2026, 3, 2))
    with pytest.raises(NotFoundError, match="no request"):
        grant(gov, "ada", dependency("0198a000-0000-7000-8000-00000000ffff"))
    with pytest.raises(InputError):
        grant(gov, "ada", dependency("no id"))
    with pytest.raises(ConfigurationError, match="from 1 to"):
        dependency()
    assert gov.log.head() == before


def test_calendars_are_for_their_keepers(gov: Governance) -> None:
    before = gov.log.head()
    with pytest.raises(NotAuthorizedError):
        gov.calendars.define("nightly", zone="UTC", openings=[("0 1 * * *", HOUR)], actor=GRACE)
    with pytest.raises(NotAuthorizedError):
        gov.calendars.freeze("all", ends=None, reason="r", actor=GRACE)
    for zone, cron, lasts in [
        ("Mars/Olympus", "0 1 * * *", HOUR),
        ("../etc/passwd", "0 1 * * *", HOUR),
        ("UTC", "0 1 * *", HOUR),
        ("UTC", "0 0 1 * * *", HOUR),
        ("UTC", "61 1 * * *", HOUR),
        ("UTC", "0 1 30 2 *", HOUR),
        ("UTC", "0 1 * * *", timedelta()),
        ("UTC", "0 1 * * *", timedelta(days=32)),
    ]:
        with pytest.raises(InputError):
            gov.calendars.define("nightly", zone=zone, openings=[(cron, lasts)], actor=ROOT)
    with pytest.raises(InputError):
        gov.calendars.define("nightly", zone="UTC", openings=[], actor=ROOT)
    with pytest.raises(InputError):
        gov.calendars.define("all", zone="UTC", openings=[("0 1 * * *", HOUR)], actor=ROOT)
    with pytest.raises(NotFoundError):
        gov.calendars.freeze("nightly", ends=None, reason="r", actor=ROOT)
    with pytest.raises(NotFoundError):
        gov.calendars.lift("all", "f9", actor=ROOT)
    with pytest.raises(InputError):
        gov.calendars.freeze("all", begins=START, ends=START, reason="r", actor=ROOT)
    assert gov.log.head() == before
    keeper = Actor(id="kay", roles=("calendar-keeper",))
    assert gov.calendars.define("nightly", zone="UTC", openings=[("0 1 * * *", HOUR)], actor=keeper).version == 1


def test_deadlines_end_requests_and_requirements_at_their_time(gov: Governance, clock: Clock) -> None:
    by_request = grant(gov, "ada", approval(role="lead"), expires_at=START + HOUR)
    by_approval = grant(gov, "bob", approval(role="lead", expires_after=2 * HOUR))
    clock.pass_time(HOUR)
    assert told(gov.run_due()) == [("expiry", "expired")]
    clock.pass_time(HOUR)
    assert told(gov.run_due()) == [("expiry", "rejected")]
    assert gov.request(by_request).end_code == "expired"
    assert gov.request(by_approval).end_code == "approval-expired"


def test_decision_before_the_deadline_wins_over_a_sweep_after_it(gov: Governance, clock: Clock) -> None:
    request = grant(gov, "ada", approval(role="lead", expires_after=HOUR))
    clock.pass_time(HOUR - timedelta(microseconds=1))
    gov.approve(request, actor=ALAN)
    clock.pass_time(DAY)
    assert told(gov.run_due()) == [("expiry", "waits"), ("execution", "executed")]


def test_withdrawn_decision_leaves_the_deadline_in_force(gov: Governance, clock: Clock) -> None:
    request = grant(gov, "ada", approval(role="lead", expires_after=HOUR), approval(role="cto", step=2))
    gov.approve(request, actor=ALAN)
    gov.withdraw(request, actor=ALAN)
    clock.pass_time(HOUR)
    assert told(gov.run_due()) == [("expiry", "rejected")]


def test_dependency_wakes_when_the_other_was_executed(gov: Governance) -> None:
    first = grant(gov, "ada", approval(role="lead"))
    second = grant(gov, "bob", dependency(first))
    third = grant(gov, "eve", dependency(second))
    assert told(gov.run_due()) == [("dependency", "waits"), ("dependency", "waits")]
    assert gov.run_due().performed == ()
    gov.approve(first, actor=ALAN)
    assert told(gov.run_due()) == [
        ("execution", "executed"), ("dependency", "released"), ("execution", "executed"),
        ("dependency", "released"), ("execution", "executed"),
    ]  # fmt: skip
    assert gov.state("tenant-42:roles").value == Roles(admins=("ada", "bob", "eve"))
    assert gov.request(third).status is Status.EXECUTED


@pytest.mark.parametrize("end", ["cancel", "reject"])
def test_ended_dependency_rejects_or_keeps_waiting(gov: Governance, end: str) -> None:
    first = grant(gov, "ada", approval(role="lead"))
    strict = grant(gov, "bob", dependency(first))
    patient = grant(gov, "eve", dependency(first, on_failure="wait"))
    gov.run_due()
    _ = gov.cancel(first, actor=GRACE) if end == "cancel" else gov.reject(first, actor=ALAN)
    assert ("dependency", "rejected") in told(gov.run_due())
    assert gov.request(strict).end_code == "dependency-failed"
    assert first in (gov.request(strict).ended_because or "")
    assert gov.request(patient).pending_reasons == ("dependency",)
    assert gov.run_due().performed == ()


def test_dependency_that_was_put_right_meanwhile_ends_the_approved_request(gov: Governance) -> None:
    first = grant(gov, "ada")
    gov.execute(first, actor=WORKER)
    second = grant(gov, "bob", dependency(first))
    gov.run_due(limit=1)
    assert gov.request(second).status is Status.APPROVED
    undo = gov.compensate(first, actor=GRACE, reason="wrong")
    gov.execute(undo.id, actor=WORKER)
    outcome = gov.execute(second, actor=WORKER)
    assert outcome.request.end_code == "dependency-failed"


def test_nobody_depends_on_the_request_whose_place_it_takes(gov: Governance) -> None:
    first = grant(gov, "ada", approval(role="lead"))
    with pytest.raises(ConfigurationError, match="depend"):
        grant(gov, "bob", dependency(first), supersedes=first)


def test_fan_in_wakes_once_when_the_last_is_executed(gov: Governance) -> None:
    amount, count = Add(amount=1), 40
    firsts = [
        gov.submit(amount, state_id=f"n-{number}", actor=GRACE, reason="r", requires=[approval(role="lead")]).id
        for number in range(count)
    ]
    fan_in = grant(gov, "ada", dependency(firsts))
    assert told(gov.run_due()) == [("dependency", "waits")]
    for each in firsts:
        gov.approve(each, actor=ALAN)
    report = gov.run_due()
    assert [each.what for each in report.performed if each.item.engine == "dependency"] == ["released"]
    assert gov.request(fan_in).status is Status.EXECUTED


def test_fan_in_of_a_thousand_wakes_exactly_once(store_url: str, clock: Clock) -> None:
    settings = Settings(execute_automatically="all")
    with Governance.open(store_url, mutations=MUTATIONS, clock=clock, settings=settings) as gov:
        items = [{"mutation": Add(amount=1), "state_id": f"n-{number}"} for number in range(999)]
        batch = gov.submit_batch(items, atomic=True, actor=GRACE, reason="r")
        last = gov.submit(Add(amount=1), state_id="n", actor=GRACE, reason="r", requires=[approval(role="lead")]).id
        fan_in = grant(gov, "ada", dependency(*[each.id for each in batch.requests], last))
        looks = [each for each in gov.run_due().performed if each.item.engine == "dependency"]
        assert [each.what for each in looks] == ["waits"]
        gov.execute_batch(batch.id, actor=WORKER)
        assert gov.run_due().performed == (), "999 of a thousand wake nobody"
        gov.approve(last, actor=ALAN)
        report = gov.run_due()
        assert [each.what for each in report.performed if each.item.engine == "dependency"] == ["released"]
        assert gov.request(fan_in).status is Status.EXECUTED
        assert [each.type for each in gov.history(fan_in)].count("DependencySatisfied") == 1


def test_long_chain_runs_through_in_one_pass(gov: Governance) -> None:
    count = 100
    chain = [grant(gov, "u0", schedule(not_before=START))]
    for number in range(1, count):
        chain.append(grant(gov, f"u{number}", dependency(chain[-1])))
    gov.run_due()
    assert {gov.request(each).status for each in chain} == {Status.EXECUTED}
    codes = [[each.code for each in gov.request(one).decisions].count("DependencySatisfied") for one in chain[1:]]
    assert codes == [1] * (count - 1)


def test_one_that_cannot_be_executed_keeps_no_other_from_its_turn(store_url: str, clock: Clock) -> None:
    with Governance.open(store_url, mutations=MUTATIONS, clock=clock) as gov:
        bad = grant(gov, "ada", schedule(not_before=START))
        good = gov.submit(
            Add(amount=1), state_id="n", actor=GRACE, reason="r", requires=[schedule(not_before=START)]
        ).id
        gov.run_due(limit=2)
    with Governance.open(store_url, mutations=[Add], clock=clock) as gov:
        report = gov.run_due()
        assert [each.what for each in report.failures] == ["failed"]
        assert "Roles" in (report.failures[0].error or "")
        assert gov.request(good).status is Status.EXECUTED
        assert gov.request(bad).status is Status.APPROVED
    with Governance.open(store_url, mutations=MUTATIONS, clock=clock) as gov:
        clock.pass_time(timedelta(minutes=6))
        assert told(gov.run_due()) == [("execution", "executed")]


def test_requests_of_one_state_run_in_the_order_of_their_approval(gov: Governance) -> None:
    waiting = [grant(gov, f"u{number}", approval(role="lead")) for number in range(6)]
    order = [waiting[number] for number in (3, 0, 5, 1, 4, 2)]
    for each in order:
        gov.approve(each, actor=ALAN)
    gov.run_due()
    assert gov.state("tenant-42:roles").value == Roles(admins=("u3", "u0", "u5", "u1", "u4", "u2"))


@pytest.mark.parametrize(("which", "ran"), [("never", set()), ("released", {"lead"}), ("all", {"lead", "direct"})])
def test_setting_says_what_is_executed_automatically(store_url: str, clock: Clock, which: str, ran: set[str]) -> None:
    settings = Settings(execute_automatically=which)  # type: ignore[arg-type]
    with Governance.open(store_url, mutations=MUTATIONS, clock=clock, settings=settings) as gov:
        requests = {"lead": grant(gov, "ada", approval(role="lead")), "direct": grant(gov, "bob")}
        gov.approve(requests["lead"], actor=ALAN)
        gov.run_due()
        assert {name for name, each in requests.items() if gov.request(each).status is Status.EXECUTED} == ran


def test_batch_is_held_as_a_whole_and_never_executed_in_parts(gov: Governance, clock: Clock) -> None:
    items = [{"mutation": Add(amount=1), "state_id": f"n-{number}", "actor": GRACE, "reason": "r"} for number in (1, 2)]
    for atomic in (True, False):
        batch = gov.submit_batch(items, actor=GRACE, reason="r", atomic=atomic)
        freeze = gov.calendars.freeze("all", ends=None, reason="outage", actor=ROOT).freezes[-1]
        with pytest.raises(NotDueError, match="outage"):
            gov.execute_batch(batch.id, actor=WORKER)
        assert gov.run_due().performed == ()
        gov.calendars.lift("all", freeze.id, actor=ROOT)
        assert gov.execute_batch(batch.id, actor=WORKER).executed


@pytest.mark.parametrize("atomic", [True, False])
def test_batch_is_not_begun_while_its_last_request_is_held(gov: Governance, clock: Clock, atomic: bool) -> None:
    gov.calendars.define("mornings", zone="UTC", openings=[("0 9 * * *", 2 * HOUR)], actor=ROOT)
    items: list[Any] = [
        {"mutation": Add(amount=1), "state_id": "n-1", "requires": (approval(role="lead"),), "stale": "renew"},
        {"mutation": Add(amount=1), "state_id": "n-2", "requires": (schedule(window="mornings"),)},
    ]
    batch = gov.submit_batch(items, actor=GRACE, reason="r", atomic=atomic)
    gov.approve(batch.requests[0].id, actor=ALAN)
    gov.run_due()
    assert {each.status for each in gov.batch(batch.id).requests} == {Status.APPROVED}
    clock.pass_time(3 * HOUR)
    head = gov.log.head()
    with pytest.raises(NotDueError, match="mornings"):
        gov.execute_batch(batch.id, actor=WORKER)
    assert gov.log.head() == head
    gov.run(Add(amount=1), state_id="n-1", actor=ALAN, reason="drift")
    if atomic:
        outcome = gov.execute_batch(batch.id, actor=WORKER)
        told = [each.status for each in outcome.batch.requests]
        assert told == [Status.PENDING, Status.APPROVED], "of what is held nothing is told, and it hides nothing"


def test_agenda_read_out_of_the_log_again_finds_the_same(gov: Governance, clock: Clock) -> None:
    nightly(gov)
    first = grant(gov, "ada", schedule(window="nightly"))
    second = grant(gov, "bob", dependency(first))
    third = grant(gov, "eve", approval(role="lead", expires_after=HOUR))
    gov.run_due()
    gov.agenda.rebuild()
    clock.now = BERLIN_NIGHT + DAY
    gov.run_due()
    assert [str(gov.request(each).status) for each in (first, second, third)] == ["executed", "executed", "rejected"]


def test_limit_and_time_are_checked(gov: Governance) -> None:
    for wrong in (0, -1, True, "1"):
        with pytest.raises(InputError):
            gov.run_due(limit=wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        gov.run_due(datetime(2026, 3, 2))
    for number in range(3):
        grant(gov, f"u{number}", schedule(not_before=START))
    report = gov.run_due(limit=2)
    assert (len(report.performed), report.more) == (2, True)


def test_a_clock_that_steps_back_undoes_nothing(gov: Governance, clock: Clock) -> None:
    request = grant(gov, "ada", schedule(not_before=START + HOUR))
    clock.pass_time(HOUR)
    gov.run_due(limit=1)
    clock.now = START
    gov.run_due(START + HOUR)
    assert gov.request(request).status is Status.EXECUTED
    times = [each.at for each in gov.history(request)]
    assert times == sorted(times)


def test_new_round_that_asks_for_the_impossible_ends_the_request(store_url: str, clock: Clock) -> None:
    asked: list[Any] = []

    @policy(GrantAdmin)
    def later(mutation: GrantAdmin, state: Roles, context: Any) -> Any:
        return require(*asked) if asked and mutation.user == "ada" else allow()

    with Governance.open(store_url, mutations=MUTATIONS, policies=[later], clock=clock) as gov:
        unknown = "0198a000-0000-7000-8000-00000000ffff"
        makes: list[Callable[[str], Any]] = [
            dependency,
            lambda _: schedule(window="nowhere"),
            lambda _: dependency(unknown),
        ]
        for number, make in enumerate(makes):
            asked.clear()
            state = f"s{number}"
            first = gov.submit(GrantAdmin(user="ada"), state_id=state, actor=GRACE, reason="r").id
            second = gov.submit(
                GrantAdmin(user="bob"), state_id="other", actor=GRACE, reason="r", requires=[dependency(first)]
            )
            gov.run(GrantAdmin(user="eve"), state_id=state, actor=GRACE, reason="r")
            asked.append(make(second.id))
            outcome = gov.execute(first, actor=WORKER)
            assert (outcome.executed, outcome.request.end_code) == (False, "impossible-requirement")
            gov.run_due()
            assert gov.request(second.id).end_code == "dependency-failed"


def test_pass_is_the_same_every_time_under_a_frozen_clock(store_url: str, postgres_databases: Databases) -> None:
    def play(url: str) -> list[list[tuple[str, str]]]:
        with (
            freezegun.freeze_time("2026-03-02T09:00:00Z") as frozen,
            Governance.open(url, mutations=MUTATIONS) as gov,
        ):
            nightly(gov)
            first = grant(gov, "ada", schedule(window="nightly"))
            second = grant(gov, "bob", dependency(first), approval(role="lead", expires_after=30 * HOUR))
            grant(gov, "eve", schedule(not_before=START + HOUR), expires_at=START + 2 * HOUR)
            grant(gov, "joe", approval(role="lead", expires_after=HOUR))
            passes = [told(gov.run_due())]
            gov.approve(second, actor=ALAN)
            for _ in range(20):
                frozen.tick(HOUR)
                passes.append(told(gov.run_due()))
            return passes

    with postgres_databases.database() as other:
        assert play(store_url) == play(other)
