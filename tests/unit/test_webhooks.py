"""Signed webhooks: a receiver can verify them, and they reach nothing that they must not reach."""

import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from governance import ConfigurationError, Delivery, EffectHandler, UndeliverableError, webhook
from governance.domain.effects import RecordedEffect
from governance.effects.addresses import AddressRefusedError, checked
from governance.effects.webhooks import WebhookError
from tests.receivers import SECRET, Site, site

REQUEST = "0198a000-0000-7000-8000-000000000001"


def delivery(attempt: int = 1) -> Delivery:
    return Delivery(
        key=f"{REQUEST}:0",
        effect=RecordedEffect(id=f"{REQUEST}:0", contract="letter", contract_version=2, payload={"to": "wø€🚀"}),
        request_id=REQUEST,
        state_id="a",
        state_version=3,
        executed_at=datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
        attempt=attempt,
        correlation_id="c",
    )


def hook(receiver: Site, **given: object) -> EffectHandler:
    arguments = {"secret": SECRET, "allow_private": True, "allow_http": True, **given}
    return webhook(receiver.url, **arguments)  # type: ignore[arg-type]


@pytest.fixture
def receiver() -> Iterator[Site]:
    with site() as found:
        yield found


def test_receiver_can_verify_what_arrives_and_tell_a_repeat(receiver: Site) -> None:
    for attempt in (1, 2):
        assert hook(receiver).deliver(delivery(attempt)) == "204 No Content"
    first, second = receiver.got
    read = Webhook(SECRET).verify(first.body, first.headers)
    assert read == {
        "type": "letter",
        "version": 2,
        "timestamp": "2026-03-02T09:00:00Z",
        "data": {"to": "wø€🚀"},
        "request_id": REQUEST,
        "state_id": "a",
        "state_version": 3,
        "correlation_id": "c",
    }
    assert first.path == "/hook?tenant=7"
    assert first.headers["content-type"] == "application/json"
    assert first.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == f"{REQUEST}:0"
    assert first.body == second.body
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(first.body.replace("letter", "lettre"), first.headers)


@pytest.mark.parametrize("status", [400, 401, 404, 408, 429, 500, 503])
def test_any_answer_but_success_is_tried_again(receiver: Site, status: int) -> None:
    receiver.answers = [status]
    with pytest.raises(WebhookError, match=str(status)):
        hook(receiver).deliver(delivery())


def test_receiver_that_is_gone_for_good_parks_the_effect(receiver: Site) -> None:
    receiver.answers = [410]
    with pytest.raises(UndeliverableError, match="gone"):
        hook(receiver).deliver(delivery())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_a_failure_and_is_not_followed(receiver: Site, status: int) -> None:
    receiver.answers, receiver.location = [status], receiver.url
    with pytest.raises(WebhookError, match=str(status)):
        hook(receiver).deliver(delivery())
    assert len(receiver.got) == 1


def test_receiver_that_answers_a_letter_at_a_time_is_cut_off(receiver: Site) -> None:
    receiver.drip = True
    started = time.monotonic()
    with pytest.raises(WebhookError):
        hook(receiver, timeout_seconds=0.5).deliver(delivery())
    assert time.monotonic() - started < 20, "a thousand letters would have taken a minute"


def test_nobody_there_is_tried_again() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nobody = webhook(f"http://127.0.0.1:{port}/", secret=SECRET, allow_private=True, allow_http=True)
    with pytest.raises(WebhookError, match="no connection"):
        nobody.deliver(delivery())


PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",  # noqa: S104
    "255.255.255.255", "240.0.0.1", "192.0.0.1", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1",
    "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::", "::127.0.0.1", "2001:db8::1", "no address",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_address_off_the_public_network_is_refused_and_parks_the_effect(address: str) -> None:
    with pytest.raises(AddressRefusedError):
        checked("example.com", 443, private=False, resolve=lambda *_: [address])
    with pytest.raises(AddressRefusedError):
        checked("example.com", 443, private=False, resolve=lambda *_: ["93.184.216.34", address])
    assert checked("example.com", 443, private=True, resolve=lambda *_: [address]) == [address]


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"])
def test_public_address_is_fine(address: str) -> None:
    assert checked("example.com", 443, private=False, resolve=lambda *_: [address]) == [address]


def test_private_receiver_gets_nothing_unless_allowed(receiver: Site) -> None:
    with pytest.raises(UndeliverableError, match=r"127\.0\.0\.1"):
        hook(receiver, allow_private=False).deliver(delivery())
    assert receiver.got == []


def test_name_that_changes_its_address_after_the_check_is_not_asked_again(receiver: Site) -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]

    place = webhook(
        f"http://rebound.example:{receiver.port}/",
        secret=SECRET,
        allow_private=True,
        allow_http=True,
        resolve=rebinding,
    )
    place.deliver(delivery())
    assert asked == ["rebound.example"]
    assert receiver.got[0].headers["host"] == f"rebound.example:{receiver.port}"


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/", "file:///etc/passwd", "example.com", "https://", "http://example.com/", "gopher://x",
     "https://user:secret@example.com/", "https://example.com:99999/", ""],
)  # fmt: skip
def test_url_that_is_none_is_refused_when_the_webhook_is_made(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        webhook(url, secret=SECRET)
    assert "secret" not in str(caught.value)


WHSEC = "whsec_"


@pytest.mark.parametrize("secret", ["", WHSEC, "short", "whsec_c2hvcnQ=", "ä" * 40, None])
def test_secret_that_is_none_is_refused_and_not_told(secret: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        webhook("https://example.com/", secret=secret)
    assert not secret or str(caught.value).count(secret) == ("whsec_…" in str(caught.value) and secret == WHSEC)


def test_body_is_one_line_of_json(receiver: Site) -> None:
    hook(receiver).deliver(delivery())
    body = receiver.got[0].body
    assert "\n" not in body
    assert list(json.loads(body))[:2] == ["type", "version"]
