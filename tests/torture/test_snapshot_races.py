"""A request that grows while many look at it, some of whom are killed: each sees what its events had made by then."""

import time
from collections.abc import Sequence
from hashlib import sha256
from typing import cast

import pytest
from pydantic import JsonValue

from governance import MutationRequest
from governance.domain.story import Story
from tests.cases import ALAN
from tests.processes import processes
from tests.snapshot_cases import LONG, from_snapshot, long_request, opened

pytestmark = pytest.mark.as_application

Seen = list[tuple[int, str, bool]]
WORDS = 40
LOOKS = 12


def digest(request: MutationRequest) -> str:
    return sha256(request.model_dump_json().encode()).hexdigest()


def say(url: str, request_id: str) -> int:
    """Say something about the request, again and again."""
    with opened(url) as gov:
        for number in range(WORDS):
            gov.comment(request_id, actor=ALAN, text=f"number {number}")
            time.sleep(0.01)
    return WORDS


def look(url: str, request_id: str, times: int) -> Seen:
    """Look at the request with nothing in memory, and with what the last look has left there."""
    seen: Seen = []
    for _ in range(times):
        with opened(url) as gov:
            for _ in range(2):
                request = gov.request(request_id)
                seen.append((request.version, digest(request), isinstance(request.decisions, Story)))
    return seen


def test_whoever_looks_while_a_request_grows_sees_what_its_events_had_made(store_url: str) -> None:
    with opened(store_url) as gov:
        request_id = long_request(gov)
    one: dict[str, JsonValue] = {"url": store_url, "request_id": request_id}
    lookers: Sequence[dict[str, JsonValue]] = [{**one, "times": LOOKS}]
    doomed: Sequence[dict[str, JsonValue]] = [{**one, "times": 10_000}] * 2
    module = "tests.torture.test_snapshot_races"
    with (
        processes(f"{module}:say", [one] * 2) as saying,
        processes(f"{module}:look", lookers) as looking,
        processes(f"{module}:look", doomed) as dying,
    ):
        for each in (*saying, *looking, *dying):
            each.start()
        for each in dying:
            time.sleep(0.15)
            each.kill()
        endings = [each.ending() for each in (*saying, *looking)]
    assert [each.traceback for each in endings] == [""] * 3
    seen = cast(Seen, endings[-1].returned)
    assert any(lazy for _, _, lazy in seen)
    with opened(store_url) as gov:
        assert gov.request(request_id).version == LONG + 2 * WORDS
        for version, told, _ in seen:
            assert told == digest(gov.request(request_id, version=version))
    assert from_snapshot(store_url, request_id)
