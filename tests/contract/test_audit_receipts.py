"""Receipts: what happened to one request, proven by one file; nothing in it can be touched."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from governance import InputError, NotFoundError
from governance.audit.keeping import KeptTree
from governance.audit.receipts import check, receipt
from governance.streams import stream_id
from tests.audit_stores import Signed, opened
from tests.histories import Play


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    directory = tmp_path_factory.mktemp("receipt")
    return Signed(f"sqlite:///{directory / 'store.db'}", directory, commands=(150, 10))


def ids(signed: Signed) -> list[str]:
    with Play(signed.url, 0) as play:
        return [stream_id(each.stream) for each in play.history() if type(each.event).__name__ == "Created"]


def made(signed: Signed, request_id: str) -> dict[str, Any]:
    note = signed.keys.latest("tests.example/log")
    assert note is not None
    keys = [each.verifier for each in signed.keys.keys()]  # noqa: SIM118 - not a dict
    with opened(signed.url) as (rows, tables):
        return receipt(rows, KeptTree(rows, tables), request_id, note, keys)


@pytest.fixture(scope="module")
def approved(signed: Signed) -> dict[str, Any]:
    for request_id in ids(signed):
        try:
            found = made(signed, request_id)
        except NotFoundError:
            continue
        topics = {each["topic"] for each in found["events"]}
        if {"ApprovalGranted", "QuorumReached", "Executed", "StateChanged"} <= topics:
            return found
    pytest.fail("no request was approved and executed")


def test_every_covered_request_has_a_receipt_that_holds(signed: Signed) -> None:
    proven = 0
    for request_id in ids(signed):
        try:
            found = check(json.dumps(made(signed, request_id)))
        except NotFoundError:
            continue
        assert found.wrong == ()
        assert found.request is not None
        assert found.request.id == request_id
        proven += 1
    assert proven > 20


def test_a_receipt_on_postgresql_too(postgres_url: str, tmp_path: Path) -> None:
    store = Signed(postgres_url, tmp_path, commands=(20,))
    store.sign()
    found = check(json.dumps(made(store, ids(store)[0])))
    assert found.wrong == ()


def test_a_receipt_says_who_approved_exactly_what(signed: Signed, approved: dict[str, Any]) -> None:
    keys = [each.verifier for each in signed.keys.keys()]  # noqa: SIM118

    found = check(json.dumps(approved), keys)

    request = found.request
    assert request is not None
    votes = [vote for opened_ in request.requirements for vote in opened_.votes]
    assert votes
    assert all(vote.digest.startswith("sha256:") for vote in votes)
    assert request.resulting_version is not None
    assert found.signed_by == tuple(map(str, keys))


def touched(whole: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    def copy() -> dict[str, Any]:
        return dict(json.loads(json.dumps(whole)))

    for at, event in enumerate(whole["events"]):
        for column in ("position", "version", "leaf"):
            yield f"{column} {at}", edited(copy(), at, column, event[column] + 1)
        yield f"topic {at}", edited(copy(), at, "topic", "Commented" if event["topic"] != "Commented" else "Approved")
        yield f"stream {at}", edited(copy(), at, "stream", event["stream"] + "x")
        yield f"state {at}", edited(copy(), at, "state", event["state"].replace('"by"', '"by" ', 1))
        yield f"dropped {at}", {**copy(), "events": [*whole["events"][:at], *whole["events"][at + 1 :]]}
        proof = event["proof"]
        for node in range(len(proof)):
            yield f"node {at} {node}", edited(copy(), at, "proof", [*proof[:node], *proof[node + 1 :]])
        yield f"reversed {at}", edited(copy(), at, "proof", proof[::-1])
    yield "request", {**copy(), "request_id": "0198a000-0000-7000-8000-000000000009"}
    yield "checkpoint", {**copy(), "checkpoint": whole["checkpoint"].replace("position", "Position")}
    yield "keys", {**copy(), "keys": []}


def edited(document: dict[str, Any], at: int, column: str, value: Any) -> dict[str, Any]:
    document["events"][at][column] = value
    return document


def test_a_touched_receipt_proves_nothing(approved: dict[str, Any]) -> None:
    own = [each for each in approved["events"] if each["topic"] != "StateChanged"]
    # A receipt proves what is in it: that nothing happened to the request later is not in it.
    last = approved["events"].index(own[-1])
    unseen = set() if own[-1]["topic"] == "Executed" else {f"dropped {last}"}

    for what, document in touched(approved):
        assert bool(check(json.dumps(document)).wrong) == (what not in unseen), what


def test_a_receipt_of_a_stranger_counts_for_nothing(signed: Signed, approved: dict[str, Any], tmp_path: Path) -> None:
    stranger = Signed(f"sqlite:///{tmp_path / 'other.db'}", tmp_path, commands=(5,))
    keys = [each.verifier for each in stranger.keys.keys()]  # noqa: SIM118

    found = check(json.dumps(approved), keys)

    assert any("no trusted key" in each for each in found.wrong)


def test_only_what_a_checkpoint_covers_has_a_receipt(signed: Signed) -> None:
    last = ids(signed)[-1]
    with pytest.raises(NotFoundError):
        made(signed, last)
    with pytest.raises(NotFoundError):
        made(signed, "0198a000-0000-7000-8000-000000000009")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "governance-receipt-1"}', "7", "\x00"])
def test_what_is_no_receipt_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        check(text)
