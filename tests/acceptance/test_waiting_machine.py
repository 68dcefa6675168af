"""Whatever time, freezes, people and failures do: a pending request comes back exactly once, or ends with a reason."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from governance import (
    Actor,
    Governance,
    GovernanceError,
    Mutation,
    Settings,
    approval,
    dependency,
    external_check,
    quota,
    schedule,
)
from governance.checks import Check, Checker
from governance.domain.events import Executed
from governance.domain.lifecycle import Status
from tests.cases import ALAN, GRACE, ROOT, Counter

START = datetime(2026, 3, 27, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LIMIT = 4
_left_to_fail: dict[str, int] = {}


KINDS = (
    "window", "window approval", "before", "before approval deadline", "after approval", "window dependency",
    "dependency", "dependency wait window", "approval", "direct", "direct", "quota", "quota window approval", "check",
    "check quota before",
)  # fmt: skip


class Flaky(Mutation[Counter]):
    """Adds one, after so many attempts that fail."""

    key: str

    def apply(self, state: Counter) -> Counter:
        if _left_to_fail.get(self.key, 0) > 0:
            _left_to_fail[self.key] -= 1
            msg = "not today"
            raise ValueError(msg)
        return Counter(value=state.value + 1)


class Waiting(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.requests: list[str] = []
        self.frozen: dict[str, tuple[str, datetime, datetime | None]] = {}
        self.ran: set[str] = set()
        self.answers = "yes"
        _left_to_fail.clear()
        self.gov = Governance.open(
            "sqlite://",
            mutations=[Flaky],
            checkers=[Checker(name="scan", ask=self._scan, attempts=1)],
            clock=lambda: self.now,
            settings=Settings(max_attempts=3),
        )

    def _scan(self, check: Check) -> bool | None:
        if self.answers == "error":
            msg = "no route to host"
            raise OSError(msg)
        return None if self.answers == "later" else True

    def teardown(self) -> None:
        try:
            self._everything_comes_back()
        finally:
            self.gov.close()

    @initialize()
    def calendar(self) -> None:
        self.gov.calendars.define(
            "nightly", zone="Europe/Berlin", openings=[("30 2 * * *", timedelta(hours=2))], actor=ROOT
        )
        self.gov.quotas.define("few", limit=LIMIT, per=timedelta(minutes=90), window="sliding", actor=ROOT)

    @rule(data=st.data(), many=st.integers(1, 4))
    def somebody_asks(self, data: st.DataObject, many: int) -> None:
        for _ in range(many):
            minutes, fails = data.draw(st.integers(0, 3000)), data.draw(st.sampled_from([0, 0, 0, 1, 3]))
            self._submit(data.draw(st.sampled_from(KINDS)), minutes, fails, data)

    def _submit(self, kinds: str, minutes: int, fails: int, data: st.DataObject) -> None:
        key = f"k{len(self.requests)}"
        _left_to_fail[key] = 0
        requires: list[Any] = []
        at = self.now + minutes * MINUTE
        if "window" in kinds:
            requires.append(schedule(window="nightly"))
        if "before" in kinds:
            requires.append(schedule(not_before=at))
        if "after" in kinds:
            requires.append(schedule(not_after=at + timedelta(days=3)))
        if "approval" in kinds:
            requires.append(approval(role="lead", expires_after=timedelta(days=2) if "deadline" in kinds else None))
        if "quota" in kinds:
            requires.append(quota("few", data.draw(st.integers(1, 2))))
        if "check" in kinds:
            requires.append(external_check("scan"))
        if self.requests and "dependency" in kinds:
            on = data.draw(st.lists(st.sampled_from(self.requests), min_size=1, max_size=3, unique=True))
            requires.append(dependency(on, on_failure="wait" if "wait" in kinds else "reject"))
        request = self.gov.submit(
            Flaky(key=key), state_id=data.draw(st.sampled_from(["a", "b"])), actor=GRACE, reason="r", requires=requires
        )
        _left_to_fail[key] = fails
        self.requests.append(request.id)

    @rule(answers=st.sampled_from(["error", "later", "yes", "yes"]))
    def checker_answers(self, answers: str) -> None:
        self.answers = answers

    @rule(minutes=st.one_of(st.integers(1, 90), st.integers(600, 4000)))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    @rule(minutes=st.integers(0, 119))
    def it_is_night(self, minutes: int) -> None:
        spans = self.gov.calendars.get("nightly").windows(self.now, 1)
        if spans:
            self.now = spans[0].begins + minutes * MINUTE

    @rule(minutes=st.integers(1, 120))
    def clock_steps_back(self, minutes: int) -> None:
        self.now -= minutes * MINUTE

    @rule(limit=st.sampled_from([1, 2, 7, 1000]))
    def pass_over_everything(self, limit: int) -> None:
        failures = self.gov.run_due(limit=limit).failures
        assert not [each for each in failures if each.what != "attempt failed" and each.item.engine != "check"]
        assert self.gov.quotas.get("few").taken <= LIMIT

    @precondition(lambda self: len(self.frozen) < 2)
    @rule(calendar=st.sampled_from(["nightly", "all"]), hours=st.sampled_from([None, 1, 2, 6, 12]))
    def freeze(self, calendar: str, hours: int | None) -> None:
        ends = None if hours is None else self.now + timedelta(hours=hours)
        frozen = self.gov.calendars.freeze(calendar, ends=ends, reason="outage", actor=ROOT).freezes[-1]
        self.frozen[f"{calendar}/{frozen.id}"] = (calendar, self.now, ends)

    @precondition(lambda self: self.frozen)
    @rule(data=st.data())
    def lift(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.frozen)))
        calendar, *_ = self.frozen.pop(name)
        self.gov.calendars.lift(calendar, name.partition("/")[2], actor=ROOT)

    @precondition(lambda self: self.requests)
    @rule(data=st.data(), what=st.sampled_from(["approve", "reject", "cancel", "execute", "override", "withdraw"]))
    def somebody_acts(self, data: st.DataObject, what: str) -> None:
        request = data.draw(st.sampled_from(self.requests))
        with suppress(GovernanceError):
            match what:
                case "approve":
                    self.gov.approve(request, actor=ALAN)
                case "reject":
                    self.gov.reject(request, actor=ALAN)
                case "withdraw":
                    self.gov.withdraw(request, actor=ALAN)
                case "cancel":
                    self.gov.cancel(request, actor=GRACE)
                case "override":
                    self.gov.override_window(request, actor=ROOT, reason="r")
                case _:
                    self.gov.execute(request, actor=Actor(id="worker", kind="service"))

    @precondition(lambda self: self.requests)
    @rule()
    def a_lead_approves_what_there_is(self) -> None:
        for each in self.requests:
            if "approval" in self.gov.request(each).pending_reasons:
                with suppress(GovernanceError):
                    self.gov.approve(each, actor=ALAN)

    @precondition(lambda self: self.requests)
    @rule()
    def somebody_executes_what_there_is(self) -> None:
        for each in self.requests:
            if self.gov.request(each).status is Status.APPROVED:
                with suppress(GovernanceError):
                    self.gov.execute(each, actor=Actor(id="worker", kind="service"))

    @precondition(lambda self: len(self.requests) > 8)
    @rule()
    def agenda_is_lost(self) -> None:
        self.gov.agenda.rebuild()

    @invariant()
    def nothing_ran_twice_or_too_early(self) -> None:
        for each in self.requests:
            ran = [recorded for recorded in self.gov.history(each) if isinstance(recorded.event, Executed)]
            assert len(ran) <= 1
            request = self.gov.request(each)
            for opened in request.current_requirements if ran else ():
                earliest = getattr(opened.asked, "not_before", None)
                assert opened.status == "satisfied"
                assert earliest is None or earliest <= ran[0].at
                window = getattr(opened.asked, "window", None)
                if window == "nightly" and not request.outside_windows:
                    local = ran[0].at.astimezone(self.gov.calendars.get("nightly").zone)
                    assert 2 <= local.hour < 5
            if ran and each not in self.ran:
                self.ran.add(each)
                assert request.outside_windows or not self._frozen_at(ran[0].at)

    def _frozen_at(self, moment: datetime) -> bool:
        return any(
            name == "all" and begins <= moment and (ends is None or moment < ends)
            for name, begins, ends in self.frozen.values()
        )

    def _everything_comes_back(self) -> None:
        self.answers = "yes"
        for name, (calendar, _, ends) in self.frozen.items():
            if ends is not None:
                continue
            self.gov.calendars.lift(calendar, name.partition("/")[2], actor=ROOT)
        for _ in range(25):
            self.now += timedelta(days=4)
            self.now = self.now.replace(hour=1, minute=30)  # 2:30 or 3:30 in Berlin, which is in the window
            self.gov.run_due()
        for each in self.requests:
            request = self.gov.request(each)
            if request.status in {Status.EXECUTED, Status.FAILED}:
                continue
            if request.status is Status.APPROVED:
                assert not any(line.code.startswith("Pending") for line in request.decisions), "nobody executes it"
            elif request.status is Status.PENDING:
                self._waits_for_somebody(each)
            else:
                assert request.ended_because or request.end_code

    def _waits_for_somebody(self, request_id: str) -> None:
        """Only people, or requests that ended or wait for people themselves, may keep a request now."""
        for opened in self.gov.request(request_id).open_requirements:
            if opened.asked.kind == "dependency":
                others = {self.gov.request(each).status for each in opened.asked.requests}
                assert others - {Status.EXECUTED}, "all of them are executed, and yet it waits"
                continue
            if opened.asked.kind in {"schedule", "quota"}:
                kinds = set(self.gov.request(request_id).pending_reasons)
                assert kinds & {"approval", "dependency"}, "it is its turn, and yet it waits"
                continue
            assert opened.asked.kind == "approval"


TestWaiting = Waiting.TestCase
TestWaiting.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
