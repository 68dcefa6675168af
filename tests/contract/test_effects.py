"""Effects: recorded by executions only, delivered at least once and in order, tried again, parked, and never lost."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from governance import (
    ConfigurationError,
    EffectSettledError,
    InputError,
    InvalidTransitionError,
    NotAuthorizedError,
    NotFoundError,
    UndeliverableError,
    effect_handler,
)
from governance.domain.deliveries import effects_delivered
from governance.domain.effect_events import EffectFailed
from tests.effect_cases import (
    GRACE,
    ROOT,
    WORKER,
    Clock,
    Letter,
    Parcel,
    Receiver,
    Write,
    delivered,
    executed,
    opened,
    told,
)

pytestmark = pytest.mark.as_application


def test_effect_of_an_execution_is_delivered_once_and_the_request_says_so(store_url: str) -> None:
    receiver = Receiver()
    with opened(store_url, receiver.handler) as gov:
        request = executed(gov)
        assert not effects_delivered(gov.request(request))
        report = delivered(gov)
        assert [(each.what, each.result) for each in report.performed] == [("effect-delivered", "done")]
        [arrived] = receiver.arrived
        assert arrived.key == f"{request}:0"
        assert (arrived.request_id, arrived.state_id, arrived.state_version, arrived.attempt) == (request, "a", 1, 1)
        assert told(gov, request) == ["EffectDelivered"]
        assert effects_delivered(gov.request(request))
        assert gov.outstanding_effects() == []
        assert delivered(gov).performed == ()
        assert receiver.keys == [f"{request}:0"]


def test_asking_and_trying_out_deliver_nothing(store_url: str) -> None:
    receiver = Receiver()
    with opened(store_url, receiver.handler) as gov:
        gov.submit(Write(), state_id="a", actor=GRACE, reason="r", mode="simulate")
        approved = gov.submit(Write(), state_id="a", actor=GRACE, reason="r")
        gov.preview(approved.id)
        delivered(gov)
        assert receiver.arrived == []
        gov.execute(approved.id, actor=WORKER)
        delivered(gov)
        assert receiver.keys == [f"{approved.id}:0"]


def test_effects_of_a_state_arrive_in_order_and_states_do_not_wait_for_each_other(store_url: str) -> None:
    clock, receiver = Clock(), Receiver(failures=1)
    with opened(store_url, receiver.handler, clock=clock) as gov:
        first, second = executed(gov, letters=2), executed(gov)
        other = executed(gov, "b")
        delivered(gov)
        assert receiver.keys == [f"{first}:0", f"{other}:0"], "the first failed, and those behind it wait"
        clock.forward(seconds=2)
        delivered(gov)
        assert receiver.keys[2:] == [f"{first}:0", f"{first}:1", f"{second}:0"]
        versions = [each.state_version for each in receiver.arrived if each.state_id == "a"]
        assert versions == sorted(versions)


def test_pauses_between_attempts_grow_and_then_the_effect_is_parked(store_url: str) -> None:
    clock, receiver = Clock(), Receiver(failures=100)
    with opened(store_url, receiver.handler, clock=clock, effect_attempts=4) as gov:
        request, later = executed(gov), executed(gov)
        for _ in range(4):
            delivered(gov)
            clock.forward(minutes=1)
        failures = [each.event for each in gov.history(request) if isinstance(each.event, EffectFailed)]
        moments = [each.at for each in gov.history(request) if isinstance(each.event, EffectFailed)]
        pauses = [each.retry_at - at for each, at in zip(failures, moments, strict=True) if each.retry_at]
        for pause, least in zip(pauses, (1, 2, 4), strict=True):
            assert timedelta(seconds=least) <= pause <= timedelta(seconds=least * 1.25)
        assert [each.attempt for each in failures] == [1, 2, 3, 4]
        assert failures[-1].retry_at is None
        assert failures[0].error == "ConnectionError: nobody is there"
        parked, waiting = gov.outstanding_effects()
        assert (parked.effect_id, parked.status, parked.attempts) == (f"{request}:0", "parked", 4)
        assert (waiting.effect_id, waiting.status) == (f"{later}:0", "waiting"), "what is parked holds nobody up"


def test_handler_that_gives_up_parks_at_once(store_url: str) -> None:
    receiver = Receiver(failures=1)
    receiver.error = lambda: UndeliverableError("the mailbox was closed")
    with opened(store_url, receiver.handler) as gov:
        request = executed(gov)
        assert delivered(gov).performed[0].what == "effect-parked"
        assert gov.request(request).deliveries[0].status == "parked"
        assert delivered(gov).performed == ()


def test_parked_effect_is_retried_with_the_same_key(store_url: str) -> None:
    clock, receiver = Clock(), Receiver(failures=1)
    with opened(store_url, receiver.handler, clock=clock, effect_attempts=1) as gov:
        request = executed(gov)
        delivered(gov)
        gov.retry_effect(f"{request}:0", actor=ROOT, reason="the post office is open again")
        delivered(gov)
        assert receiver.keys == [f"{request}:0"] * 2
        assert told(gov, request) == ["EffectFailed", "EffectRetried", "EffectDelivered"]
        assert gov.outstanding_effects() == []


def test_dropped_effect_is_not_delivered_until_somebody_wants_it_after_all(store_url: str) -> None:
    receiver = Receiver()
    with opened(store_url, receiver.handler) as gov:
        request = executed(gov, letters=2)
        gov.drop_effect(f"{request}:0", actor=ROOT, reason="sent by hand")
        delivered(gov)
        assert receiver.keys == [f"{request}:1"]
        assert effects_delivered(gov.request(request))
        gov.retry_effect(f"{request}:0", actor=ROOT, reason="it was not")
        delivered(gov)
        assert receiver.keys == [f"{request}:1", f"{request}:0"]


def test_operators_are_refused_what_makes_no_sense(store_url: str) -> None:
    with opened(store_url, Receiver().handler) as gov:
        request = executed(gov)
        effect = f"{request}:0"
        for call in (gov.retry_effect, gov.drop_effect):
            with pytest.raises(NotAuthorizedError):
                call(effect, actor=GRACE, reason="r")
            with pytest.raises(NotFoundError):
                call(f"{request}:7", actor=ROOT, reason="r")
            with pytest.raises(NotFoundError):
                call("0198a000-0000-7000-8000-000000000001:0", actor=ROOT, reason="r")
            for nonsense in ("", request, f"{request}:", f"{request}:x", "x:0", None):
                with pytest.raises(InputError):
                    call(nonsense, actor=ROOT, reason="r")  # type: ignore[arg-type]
            with pytest.raises(InputError):
                call(effect, actor=ROOT, reason=" ")
        assert told(gov, request) == []
        delivered(gov)
        for call in (gov.retry_effect, gov.drop_effect):
            with pytest.raises(EffectSettledError) as caught:
                call(effect, actor=ROOT, reason="r")
            assert caught.value.ids == {"request": request, "effect": effect, "status": "delivered"}
        approved = gov.submit(Write(), state_id="b", actor=GRACE, reason="r").id
        with pytest.raises(InvalidTransitionError):
            gov.drop_effect(f"{approved}:0", actor=ROOT, reason="r")
        with pytest.raises(InputError):
            gov.outstanding_effects("delivered")  # type: ignore[arg-type]


def test_effect_without_a_handler_waits_and_is_told_of(store_url: str) -> None:
    receiver = Receiver()
    with opened(store_url, receiver.handler) as gov:
        request = executed(gov, parcel=True)
        delivered(gov)
        [outstanding] = gov.outstanding_effects()
        assert (outstanding.contract, outstanding.handled) == ("parcel", False)
    parcels: list[int] = []
    carrier = effect_handler(Parcel)(lambda parcel, _: parcels.append(parcel.weight))
    with opened(store_url, receiver.handler, carrier) as gov:
        delivered(gov)
        assert parcels == [1]
        assert effects_delivered(gov.request(request))


def test_outbox_thrown_away_is_the_same_after_reading_the_log_again(store_url: str) -> None:
    clock, receiver = Clock(), Receiver(failures=2)
    with opened(store_url, receiver.handler, clock=clock, effect_attempts=2) as gov:
        executed(gov, letters=3)
        delivered(gov)
        clock.forward(minutes=1)
        delivered(gov)
        executed(gov, "b", parcel=True)
        executed(gov, "c")
        gov.drop_effect(gov.outstanding_effects()[-1].effect_id, actor=ROOT, reason="r")
        before = gov.outstanding_effects()
        assert {each.status for each in before} == {"parked", "waiting"}
        gov.rebuild_outbox()
        assert gov.outstanding_effects() == before
        delivered(gov)
        assert len(set(receiver.keys)) == len(receiver.keys) - 1, "only the one that failed came twice"


def test_payload_of_another_version_is_not_given_to_a_handler_that_does_not_know_it(store_url: str) -> None:
    seen: list[object] = []

    class OldLetter(Letter):
        contract_version = 1

    with opened(store_url, effect_handler(OldLetter)(lambda letter, _: seen.append(letter))) as gov:
        request = executed(gov)
        assert delivered(gov).performed[0].result == "waiting"
        assert "version 2 is to be delivered" in (gov.request(request).deliveries[0].error or "")
        assert seen == []


def test_handler_by_name_is_given_the_payload_as_recorded(store_url: str) -> None:
    seen: list[object] = []
    with opened(store_url, effect_handler("letter")(lambda payload, _: seen.append(payload))) as gov:
        executed(gov, to="wø€🚀\n")
        delivered(gov)
        assert seen == [{"to": "wø€🚀\n", "number": 0}]


def test_answer_of_a_handler_that_no_database_could_hold_is_cleaned(store_url: str) -> None:
    with opened(store_url, effect_handler("letter")(lambda *_: "a\x00b\ud800" + "x" * 20_000)) as gov:
        request = executed(gov)
        delivered(gov)
        assert told(gov, request) == ["EffectDelivered"]


def test_handlers_that_cannot_work_are_refused_when_the_store_is_opened(store_url: str) -> None:
    one, two = Receiver().handler, Receiver().handler
    with pytest.raises(ConfigurationError, match="both for 'letter'"):
        opened(store_url, one, two)
    with pytest.raises(ConfigurationError, match="not a handler"):
        opened(store_url, lambda *_: None)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="not a class of effects"):
        effect_handler(Write)(lambda *_: None)  # type: ignore[arg-type]


def test_claim_that_ran_out_is_lost_and_what_was_delivered_twice_is_recorded_once(store_url: str) -> None:
    slow, quick = Receiver(), Receiver()
    with (
        opened(store_url, slow.handler, effect_lease_seconds=0.1) as stalled,
        opened(store_url, quick.handler, effect_lease_seconds=0.1) as other,
    ):
        request = executed(stalled)
        [item] = stalled.effects_engine.due(stalled._clock(), 10)
        assert other.effects_engine.due(other._clock(), 10) == [], "it is the first one's for a lease"
        _wait_for(lambda: delivered(other).count("effect-delivered") == 1)
        assert stalled.effects_engine.perform(item, stalled._clock()).result == "lost"
        assert slow.arrived == []
        assert told(stalled, request) == ["EffectDelivered"]


def test_worker_overtaken_while_its_handler_runs_records_nothing(store_url: str) -> None:
    quick = Receiver()
    with opened(store_url, quick.handler) as other:

        def overtaken(letter: Letter, _: object) -> None:
            other.rebuild_outbox()  # as if its lease had run out
            assert delivered(other).count("effect-delivered") == 1

        with opened(store_url, effect_handler(Letter)(overtaken)) as stalled:
            request = executed(stalled)
            [performed] = delivered(stalled).performed
            assert (performed.result, performed.what) == ("lost", "settled-by-others")
            assert told(stalled, request) == ["EffectDelivered"]


@pytest.mark.parametrize("compensate", [True, False])
def test_execution_whose_effect_is_parked_is_put_right_if_asked_for(store_url: str, compensate: bool) -> None:
    receiver = Receiver(failures=1, compensate=compensate)
    receiver.error = lambda: UndeliverableError("the mailbox was closed")
    with opened(store_url, receiver.handler) as gov:
        request = executed(gov)
        assert delivered(gov).performed[0].what == "effect-parked"
        assert gov.request(request).status == ("compensated" if compensate else "executed")
        assert gov.state("a").value.letters == (0 if compensate else 1)


def _wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not come"
        time.sleep(0.02)
