"""Opening a store: what cannot work says why, by one of our errors, and leaves nothing open."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from governance import ConfigurationError, Governance, InputError, Settings, StoreUnavailableError, policy
from tests.cases import GRACE, MUTATIONS, START, Add

pytestmark = pytest.mark.as_application

SHORT = Settings(budget_seconds=1)


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://host/db", "sqlite:x", "sqlite://x.db", "postgresql://%zz", "postgresql://h/d?no=1"]
)
def test_url_of_nothing_that_is_known_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Governance.open(url, mutations=MUTATIONS, settings=SHORT)
    assert "in time" not in str(caught.value)


@pytest.mark.parametrize("url", ["sqlite:////nonexistent/folder/x.db", "postgresql://nobody:secret@127.0.0.1:1/x"])
def test_store_that_cannot_be_reached_is_said_to_be_so(url: str) -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        Governance.open(url, mutations=MUTATIONS, settings=SHORT)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("policies", [[lambda *_: None], ["two_leads"], [None], [policy(name="x")(print)] * 2])
def test_policies_that_are_none_are_a_configuration_error(store_url: str, policies: list[Any]) -> None:
    with pytest.raises(ConfigurationError):
        Governance.open(store_url, mutations=MUTATIONS, policies=policies)


@pytest.mark.parametrize("answer", [datetime(2026, 1, 1), None, 5, "now"])
def test_clock_without_a_zone_is_a_configuration_error(answer: Any) -> None:
    with Governance.open("sqlite://", mutations=MUTATIONS, clock=lambda: answer) as gov:
        with pytest.raises(ConfigurationError, match="aware datetime"):
            gov.run(Add(amount=1), state_id="c", actor=GRACE, reason="r")
        assert gov.log.head() == 0


def test_clock_of_another_zone_tells_the_same_time(store_url: str) -> None:
    there = START.astimezone(timezone(timedelta(hours=-7)))
    with Governance.open(store_url, mutations=MUTATIONS, clock=lambda: there) as gov:
        outcome = gov.run(Add(amount=1), state_id="c", actor=GRACE, reason="r")
        assert gov.request(outcome.request.id).created_at == START
        assert gov.state("c", at=there).version == 1
        assert gov.state("c", at=START - timedelta(microseconds=1)).version == 0


def test_clock_that_goes_back_does_not_turn_time_round(store_url: str) -> None:
    moments = [START, START + timedelta(hours=1), START - timedelta(days=1)]
    now = [moments[0]]
    with Governance.open(store_url, mutations=MUTATIONS, clock=lambda: now[0]) as gov:
        for moment in moments:
            now[0] = moment
            request = gov.run(Add(amount=1), state_id="c", actor=GRACE, reason="r").request
            gov.comment(request.id, actor=GRACE, text="x")
        times = [each.at for each in gov.state_history("c")]
        assert times == sorted(times) == [START, moments[1], moments[1]]
        assert [each.at for each in gov.history(request.id)] == [moments[1]] * 6


def test_closed_store_answers_by_an_error(store_url: str) -> None:
    gov = Governance.open(store_url, mutations=MUTATIONS)
    request = gov.submit(Add(amount=1), state_id="c", actor=GRACE, reason="r")
    gov.close()
    gov.close()
    for call in (
        lambda: gov.request(request.id),
        lambda: gov.state("c"),
        lambda: gov.run(Add(amount=1), state_id="c", actor=GRACE, reason="r"),
        lambda: gov.comment(request.id, actor=GRACE, text="x"),
    ):
        with pytest.raises(StoreUnavailableError):
            call()


@pytest.mark.parametrize("limit", [1024, 5000])
def test_limit_of_a_payload_is_the_operator_s(store_url: str, limit: int) -> None:
    with Governance.open(store_url, mutations=MUTATIONS, settings=Settings(max_payload_bytes=limit)) as gov:
        fits = {"x": "y" * (limit - len('{"x":""}'))}
        gov.submit(Add(amount=1), state_id="c", actor=GRACE, reason="r", metadata=fits)
        head = gov.log.head()
        with pytest.raises(InputError, match="bytes") as caught:
            gov.submit(Add(amount=1), state_id="c", actor=GRACE, reason="r", metadata={"x": fits["x"] + "y"})
        assert (caught.value.ids["field"], gov.log.head()) == ("metadata", head)
