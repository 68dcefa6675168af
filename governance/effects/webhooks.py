"""Signed webhooks, by the Standard Webhooks specification: an effect as a POST that its receiver can verify."""

import json
import socket
import ssl
from base64 import b64decode
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from threading import Timer
from typing import Final
from urllib.parse import SplitResult, urlsplit

from pydantic import TypeAdapter
from standardwebhooks import Webhook

from governance.domain.errors import ConfigurationError
from governance.effects.addresses import Resolve, checked, resolved
from governance.effects.handlers import Delivery, EffectHandler, UndeliverableError

MAX_ANSWER_BYTES: Final = 1_000
DEFAULT_SECONDS: Final = 10.0
_PORTS: Final = {"https": 443, "http": 80}
_GONE: Final = 410
_SUCCESS: Final = range(200, 300)
_SHORTEST_SECRET_BYTES: Final = 24
_PAYLOAD: TypeAdapter[object] = TypeAdapter(object)


class WebhookError(Exception):
    """The receiver did not take the webhook; it is sent again later."""


def webhook(
    url: str,
    *,
    secret: str,
    contracts: Sequence[str] | None = None,
    name: str | None = None,
    timeout_seconds: float = DEFAULT_SECONDS,
    allow_private: bool = False,
    allow_http: bool = False,
    compensate: bool = False,
    tls: ssl.SSLContext | None = None,
    resolve: Resolve = resolved,
) -> EffectHandler:
    """Return a handler that posts effects to a URL, signed with a secret (`whsec_…`); of all contracts unless named.

    The body is JSON, `webhook-id` is the effect's id and the same at every attempt, and any answer but 2xx is a
    failure; redirects are not followed, and 410 parks the effect. Private, loopback and link-local addresses are
    refused unless `allow_private`, plain http unless `allow_http`. Raises ConfigurationError for what cannot work.
    """
    place = _place(url, allow_http=allow_http)
    signer = _signer(secret)
    context = tls or ssl.create_default_context()

    def deliver(delivery: Delivery) -> str:
        addresses = checked(place.hostname or "", _port(place), private=allow_private, resolve=resolve)
        body = _body(delivery)
        headers = _headers(signer, delivery.key, body)
        return _posted(
            lambda address: _connection(place, address, timeout_seconds, context), addresses, place, body, headers
        )

    return EffectHandler(
        name=name or f"webhook {place.hostname}",
        contracts=None if contracts is None else tuple(contracts),
        deliver=deliver,
        compensate=compensate,
    )


def post(
    url: str,
    body: str,
    headers: dict[str, str],
    *,
    timeout_seconds: float = DEFAULT_SECONDS,
    allow_private: bool = False,
    allow_http: bool = False,
    resolve: Resolve = resolved,
) -> str:
    """Post a body to a URL as webhooks are, unsigned, and return the status that was answered.

    Raises ConfigurationError for a URL that is not allowed, AddressRefusedError, WebhookError or UndeliverableError.
    """
    place = _place(url, allow_http=allow_http)
    addresses = checked(place.hostname or "", _port(place), private=allow_private, resolve=resolve)
    tls = ssl.create_default_context()
    return _posted(lambda address: _connection(place, address, timeout_seconds, tls), addresses, place, body, headers)


def _place(url: str, *, allow_http: bool) -> SplitResult:
    place = urlsplit(url)
    known = {"https", "http"} if allow_http else {"https"}
    if place.scheme not in known or not place.hostname or place.username is not None or place.fragment:
        msg = f"webhook: {place.scheme}://{place.hostname or ''} is not a URL such as https://example.com/hook"
        raise ConfigurationError(msg, url=f"{place.scheme}://{place.hostname or ''}")
    try:
        _port(place)
    except ValueError as error:
        raise ConfigurationError(f"webhook: {error}", url=place.hostname) from None
    return place


def _port(place: SplitResult) -> int:
    return place.port or _PORTS[place.scheme]


def _signer(secret: str) -> Webhook:
    try:
        key = b64decode(secret.removeprefix("whsec_") + "==", validate=True)
    except (ValueError, AttributeError) as error:
        msg = "webhook: the secret is not base64, as in whsec_…"
        raise ConfigurationError(msg) from error
    if len(key) < _SHORTEST_SECRET_BYTES:
        msg = f"webhook: the secret has fewer than {_SHORTEST_SECRET_BYTES} bytes"
        raise ConfigurationError(msg)
    return Webhook(key)


def _body(delivery: Delivery) -> str:
    effect = delivery.effect
    content = {
        "type": effect.contract,
        "version": effect.contract_version,
        "timestamp": delivery.executed_at.isoformat().replace("+00:00", "Z"),
        "data": json.loads(_PAYLOAD.dump_json(effect.payload)),
        "request_id": delivery.request_id,
        "state_id": delivery.state_id,
        "state_version": delivery.state_version,
        "correlation_id": delivery.correlation_id,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _headers(signer: Webhook, key: str, body: str) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "Content-Type": "application/json",
        "User-Agent": "mutation-governance",
        "webhook-id": key,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signer.sign(key, now, body),
    }


class _PinnedHttps(HTTPSConnection):
    """Speaks to the address that was checked, and asks it for the certificate of the name."""

    def __init__(self, name: str, address: str, port: int, timeout: float, context: ssl.SSLContext) -> None:
        super().__init__(address, port, timeout=timeout, context=context)
        self._name = name
        self._tls = context

    def connect(self) -> None:
        """Connect to the address and verify the name."""
        HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


def _connection(place: SplitResult, address: str, timeout: float, context: ssl.SSLContext) -> HTTPConnection:
    if place.scheme == "http":
        return HTTPConnection(address, _port(place), timeout=timeout)
    return _PinnedHttps(place.hostname or "", address, _port(place), timeout, context)


def _posted(
    connect: Callable[[str], HTTPConnection],
    addresses: Sequence[str],
    place: SplitResult,
    body: str,
    headers: dict[str, str],
) -> str:
    """Return the receiver's answer; tries the next address only when there was no connection to one."""
    connection = _connected(connect, addresses)
    # The time limit of a socket is for each piece: a receiver could send one byte after the other for ever.
    limit = Timer(connection.timeout or DEFAULT_SECONDS, _cut, (connection,))
    limit.start()
    try:
        path = f"{place.path or '/'}?{place.query}" if place.query else place.path or "/"
        host = place.netloc.rpartition("@")[2]
        connection.request("POST", path, body.encode(), {**headers, "Host": host})
        return _answer(connection.getresponse())
    except (OSError, HTTPException) as error:
        msg = f"no answer from {place.hostname}: {type(error).__name__}: {error}"
        raise WebhookError(msg) from error
    finally:
        limit.cancel()
        connection.close()


def _cut(connection: HTTPConnection) -> None:
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _connected(connect: Callable[[str], HTTPConnection], addresses: Sequence[str]) -> HTTPConnection:
    problem: Exception = WebhookError("the name has no address")
    for address in addresses:
        connection = connect(address)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            problem = error
        else:
            return connection
    msg = f"no connection: {type(problem).__name__}: {problem}"
    raise WebhookError(msg) from problem


def _answer(response: HTTPResponse) -> str:
    said = f"{response.status} {response.reason}".strip()
    response.read(MAX_ANSWER_BYTES)
    if response.status == _GONE:
        msg = f"the receiver says that it is gone for good ({said})"
        raise UndeliverableError(msg)
    if response.status not in _SUCCESS:
        msg = f"the receiver answered {said}"
        raise WebhookError(msg)
    return said
