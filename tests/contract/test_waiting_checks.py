"""External checks: checkers that are asked, callbacks that answer, and what an answer counts for; on both databases."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
import stamina
from pydantic import SecretStr

from governance import (
    Actor,
    AlreadyDecidedError,
    ConfigurationError,
    Governance,
    InputError,
    InvalidTransitionError,
    NotAuthorizedError,
    NotFoundError,
    SelfApprovalError,
    Settings,
    StaleError,
    StaticDirectory,
    approval,
    external_check,
)
from governance.checks import Check, Checker, checker, failed, not_yet, passed
from governance.domain.lifecycle import Status
from governance.engines.engine import DueReport
from tests.cases import ALAN, GRACE, HOUR, MUTATIONS, WORKER, Add, GrantAdmin
from tests.clocks import Clock

pytestmark = pytest.mark.as_application

SCANNER = Actor(id="scanner", kind="service")
KEY = SecretStr("a secret of thirty-two bytes ok!")
Open = Callable[..., AbstractContextManager[Governance]]


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    stamina.set_testing(True, attempts=3, cap=True)
    yield
    stamina.set_testing(False)


@pytest.fixture
def opened(store_url: str, clock: Clock) -> Open:
    def give(*checkers: Checker) -> AbstractContextManager[Governance]:
        settings = Settings(callback_key=KEY)
        return Governance.open(store_url, mutations=MUTATIONS, checkers=checkers, settings=settings, clock=clock)

    return give


def grant(gov: Governance, *requires: Any, user: str = "ada", **others: Any) -> str:
    request = gov.submit(GrantAdmin(user=user), state_id="s", actor=GRACE, reason="r", requires=requires, **others)
    return request.id


def told(report: DueReport) -> list[tuple[str, str]]:
    return [(each.item.engine, each.what) for each in report.performed]


def by_callback(name: str = "scan") -> Checker:
    return Checker(name=name)


def test_checker_is_asked_and_its_evidence_is_kept(opened: Open) -> None:
    seen: list[Check] = []

    @checker("scan")
    def scan(check: Check) -> Any:
        seen.append(check)
        return passed({"report": "clean", "score": 0.5})

    with opened(scan) as gov:
        request = grant(gov, external_check("scan"))
        assert gov.request(request).pending_reasons == ("external_check",)
        assert told(gov.run_due()) == [("check", "passed"), ("execution", "executed")]
        assert (seen[0].request_id, seen[0].mutation.payload) == (request, {"user": "ada"})
        event: Any = next(x.event for x in gov.history(request) if type(x.event).__name__ == "ExternalCheckPassed")
        assert event.evidence == {"report": "clean", "score": 0.5}
        by = next(x.by.id for x in gov.history(request) if x.event is event or x.event == event)
        assert by == "check:scan"


def test_async_checker_that_says_no_ends_the_request(opened: Open) -> None:
    @checker("scan")
    async def scan(check: Check) -> Any:
        return failed({"found": ["x"]})

    with opened(scan) as gov:
        request = grant(gov, external_check("scan"), approval(role="lead"))
        assert told(gov.run_due()) == [("check", "rejected")]
        assert gov.request(request).end_code == "check-failed"
        assert gov.run_due().performed == (), "a check that answered is not canceled"


def test_ticket_is_opened_once_and_polled_until_it_is_closed(opened: Open, clock: Clock) -> None:
    tickets: dict[str, str] = {}

    @checker("ticket", every=timedelta(minutes=1))
    def ticket(check: Check) -> Any:
        state = tickets.setdefault(check.key, "open")
        return passed({"ticket": check.key}) if state == "closed" else not_yet()

    with opened(ticket) as gov:
        request = grant(gov, external_check("ticket"))
        assert told(gov.run_due()) == [("check", "waits")]
        assert gov.run_due().performed == ()
        clock.now += timedelta(minutes=1)
        assert told(gov.run_due()) == [("check", "waits")]
        assert list(tickets) == [f"{request}/1.1"]
        tickets[f"{request}/1.1"] = "closed"
        clock.now += timedelta(minutes=1)
        assert told(gov.run_due())[0] == ("check", "passed")


def test_checker_that_fails_is_tried_again_and_then_rested(opened: Open, clock: Clock) -> None:
    calls: list[int] = []
    well = False

    @checker("scan", attempts=2, failures=2, rest=timedelta(minutes=10))
    def scan(check: Check) -> bool:
        calls.append(1)
        if not well:
            msg = "no route to host"
            raise OSError(msg)
        return True

    with opened(scan) as gov:
        request = grant(gov, external_check("scan"))
        other = grant(gov, external_check("scan"), user="bob")
        third = grant(gov, external_check("scan"), user="eve")
        report = gov.run_due()
        assert told(report) == [("check", "failed"), ("check", "failed"), ("check", "rests")]
        assert "no route to host" in (report.failures[0].error or "")
        assert len(calls) == 4
        assert gov.request(request).status is Status.PENDING
        well = True
        clock.now += timedelta(minutes=10)
        gov.run_due()
        assert {gov.request(each).status for each in (request, other, third)} == {Status.EXECUTED}


def test_checker_that_hangs_or_talks_nonsense_is_a_failure_and_no_answer(opened: Open) -> None:
    import threading

    gate = threading.Event()

    @checker("hangs", attempts=1, timeout=timedelta(milliseconds=20))
    def hangs(check: Check) -> bool:
        return gate.wait(20)

    @checker("nonsense", attempts=1)
    def nonsense(check: Check) -> Any:
        return "yes"

    with opened(hangs, nonsense) as gov:
        requests = [grant(gov, external_check("hangs")), grant(gov, external_check("nonsense"), user="bob")]
        report = gov.run_due()
        gate.set()
        assert [each.what for each in report.performed] == ["failed", "failed"]
        assert "within 0.02 s" in (report.failures[0].error or "")
        assert "answered str" in (report.failures[1].error or "")
        assert {gov.request(each).status for each in requests} == {Status.PENDING}


def test_check_without_an_answer_in_time_rejects_or_keeps_waiting(opened: Open, clock: Clock) -> None:
    canceled: list[str] = []
    with opened(Checker(name="scan", cancel=lambda check: canceled.append(check.key))) as gov:
        strict = grant(gov, external_check("scan", timeout=HOUR))
        patient = grant(gov, external_check("scan", timeout=HOUR, on_timeout="wait"), user="bob")
        gov.run_due()
        clock.now += HOUR
        assert told(gov.run_due()) == [("expiry", "rejected"), ("check", "canceled")]
        assert gov.request(strict).end_code == "check-timeout"
        assert canceled == [f"{strict}/1.1"]
        assert gov.request(patient).pending_reasons == ("external_check",)
        assert gov.run_due().performed == ()


@pytest.mark.parametrize("end", ["cancel", "reject"])
def test_end_of_the_request_cancels_the_check(opened: Open, end: str) -> None:
    canceled: list[str] = []
    with opened(Checker(name="scan", cancel=lambda check: canceled.append(check.key))) as gov:
        request = grant(gov, external_check("scan"), approval(role="lead"))
        gov.run_due()
        _ = gov.cancel(request, actor=GRACE) if end == "cancel" else gov.reject(request, actor=ALAN)
        assert told(gov.run_due()) == [("check", "canceled")]
        assert canceled == [f"{request}/1.2"]
        assert gov.run_due().performed == ()


def test_callback_answers_by_service_by_role_or_by_token(opened: Open) -> None:
    with opened(by_callback()) as gov:
        requests = [grant(gov, external_check("scan"), user=f"u{number}") for number in range(3)]
        gov.record_check(requests[0], check="scan", passed=True, actor=SCANNER, evidence={"id": 7})
        gov.record_check(requests[1], check="1.1", passed=True, actor=Actor(id="rita", roles=("checker",)))
        token = gov.callback_token(requests[2], "scan")
        gov.record_check(requests[2], check="scan", passed=True, actor=ALAN, token=token)
        assert {gov.request(each).status for each in requests} == {Status.APPROVED}


def test_token_is_good_for_one_answer_to_one_check_of_one_request(opened: Open) -> None:
    with opened(by_callback(), by_callback("other")) as gov:
        request = grant(gov, external_check("scan"), external_check("other"))
        second = grant(gov, external_check("scan"), user="bob")
        token = gov.callback_token(request, "scan")
        before = gov.log.head()
        for wrong in ("", token[:-1], token + "A", "ä", gov.callback_token(second, "scan")):
            with pytest.raises(NotAuthorizedError):
                gov.record_check(request, check="scan", passed=True, actor=ALAN, token=wrong)
        for target, check in [(request, "other"), (second, "scan")]:
            with pytest.raises(NotAuthorizedError):
                gov.record_check(target, check=check, passed=True, actor=ALAN, token=token)
        with pytest.raises(SelfApprovalError):
            gov.record_check(request, check="scan", passed=True, actor=GRACE, token=token)
        assert gov.log.head() == before
        gov.record_check(request, check="scan", passed=True, actor=ALAN, token=token)
        with pytest.raises(AlreadyDecidedError):
            gov.record_check(request, check="scan", passed=True, actor=ALAN, token=token)


def test_answer_for_older_content_does_not_count(opened: Open) -> None:
    with opened(by_callback()) as gov:
        request = gov.submit(
            GrantAdmin(user="ada"),
            state_id="s",
            actor=GRACE,
            reason="r",
            requires=[external_check("scan")],
            stale="renew",
        )
        token = gov.callback_token(request.id, "scan")
        gov.record_check(request.id, check="scan", passed=True, actor=SCANNER, seen=request.requirements[0].digest)
        gov.run(GrantAdmin(user="bob"), state_id="s", actor=GRACE, reason="r")
        assert not gov.execute(request.id, actor=WORKER).executed
        again = gov.request(request.id)
        assert (again.round, again.pending_reasons) == (2, ("external_check",))
        with pytest.raises(NotAuthorizedError):
            gov.record_check(request.id, check="scan", passed=True, actor=ALAN, token=token)
        with pytest.raises(StaleError):
            gov.record_check(request.id, check="scan", passed=True, actor=SCANNER, seen=request.requirements[0].digest)
        gov.record_check(request.id, check="scan", passed=True, actor=SCANNER)
        assert gov.execute(request.id, actor=WORKER).executed


def test_wrong_answers_are_refused_and_change_nothing(opened: Open) -> None:
    with opened(by_callback()) as gov:
        request = grant(gov, external_check("scan"))
        before = gov.log.head()
        with pytest.raises(NotAuthorizedError):
            gov.record_check(request, check="scan", passed=True, actor=ALAN)
        bot = Actor(id="bot", kind="service", on_behalf_of=GRACE.id)
        with pytest.raises(SelfApprovalError):
            gov.record_check(request, check="scan", passed=True, actor=bot)
        with pytest.raises(NotFoundError):
            gov.record_check(request, check="other", passed=True, actor=SCANNER)
        for wrong in ({"passed": 1}, {"passed": "yes"}, {"evidence": [1]}, {"evidence": {"x": float("nan")}}):
            with pytest.raises(InputError):
                gov.record_check(request, **{"check": "scan", "passed": True, "actor": SCANNER, **wrong})  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="no checker nobody"):
            grant(gov, external_check("nobody"))
        with pytest.raises(ConfigurationError, match="timeout is longer"):
            external_check("scan", timeout=timedelta())
        assert gov.log.head() == before
        gov.cancel(request, actor=GRACE)
        with pytest.raises(InvalidTransitionError):
            gov.record_check(request, check="scan", passed=True, actor=SCANNER)


def test_tokens_take_a_key(store_url: str) -> None:
    with Governance.open(store_url, mutations=[Add, GrantAdmin], checkers=[by_callback()]) as gov:
        request = grant(gov, external_check("scan"))
        with pytest.raises(ConfigurationError, match="callback_key"):
            gov.callback_token(request, "scan")


def test_checkers_have_names_of_their_own(store_url: str) -> None:
    with pytest.raises(ConfigurationError, match="name of its own"):
        Governance.open(store_url, mutations=MUTATIONS, checkers=[by_callback(), by_callback()])
    with pytest.raises(ConfigurationError, match="must be a Checker"):
        Governance.open(store_url, mutations=MUTATIONS, checkers=[lambda check: True])  # type: ignore[list-item]


def test_check_that_has_not_answered_holds_a_request(opened: Open) -> None:
    with opened(by_callback()) as gov:
        request = grant(gov, external_check("scan"))
        assert [(each.because, each.until, each.requirement) for each in gov.held(request)] == [
            ("check scan has not said yes", None, "1.1")
        ]
        gov.record_check(request, check="scan", passed=True, actor=SCANNER)
        assert gov.held(request) == ()


def test_who_may_answer_for_a_check_is_what_the_directory_says(store_url: str, clock: Clock) -> None:
    given: dict[str, Any] = {"directory": StaticDirectory(roles={"checker": ["olga"]}), "checkers": [by_callback()]}
    with Governance.open(store_url, mutations=MUTATIONS, clock=clock, **given) as gov:
        request = grant(gov, external_check("scan"))
        with pytest.raises(NotAuthorizedError):
            gov.record_check(request, check="scan", passed=True, actor=Actor(id="mallory", roles=("checker",)))
        answered = gov.record_check(request, check="scan", passed=True, actor=Actor(id="olga"))
        assert answered.status is Status.APPROVED
        other = grant(gov, external_check("scan"), user="bob")
        assert gov.record_check(other, check="scan", passed=True, actor=SCANNER).status is Status.APPROVED
