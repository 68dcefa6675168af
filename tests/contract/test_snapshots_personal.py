"""Snapshots and personal data: what is sealed in the events is sealed in them too, and an erasure reaches both."""

import pytest

from governance.domain.story import Story
from governance.event_store.snapshots import Snapshot
from governance.settings import Settings
from governance.streams import request_stream
from tests.cases import ALAN
from tests.contract.test_governance_personal import everything_stored
from tests.personal_cases import SECRETS, hired, opened

pytestmark = pytest.mark.as_application

PLAIN = Settings()
MARKED = ("ada@example.org", "0151-2345")


@pytest.fixture(autouse=True)
def all_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("governance.repository.SHORT", 3)


def snapshot(url: str, request_id: str) -> Snapshot | None:
    with opened(url, settings=PLAIN) as governance:
        return governance.log.event_recorder.snapshots().find(request_stream(request_id))


def test_marked_fields_are_sealed_in_snapshots_and_erased_with_the_key(store_url: str) -> None:
    with opened(store_url, settings=PLAIN) as governance:
        request_id = hired(governance)
    with opened(store_url, settings=PLAIN) as governance:
        governance.request(request_id)
    found = snapshot(store_url, request_id)
    assert found is not None
    assert found.body.count("sealed:1:") >= 4
    stored = everything_stored(store_url)
    assert not any(secret in stored for secret in MARKED)
    with opened(store_url, settings=PLAIN) as governance:
        request = governance.request(request_id)
        assert isinstance(request.decisions, Story)
        assert governance.opened(request).mutation.payload["email"] == MARKED[0]
        governance.forget("ada", actor=ALAN, reason="she asked us to")
    with opened(store_url, settings=PLAIN) as governance:
        request = governance.request(request_id)
        assert isinstance(request.decisions, Story)
        shown = governance.opened(request)
        assert (shown.mutation.payload["email"], shown.mutation.payload["phone"]) == ("[erased]", "[erased]")
        assert not any(secret in repr(shown) for secret in MARKED)


def test_with_personal_texts_no_snapshot_is_written(store_url: str) -> None:
    with opened(store_url) as governance:
        request_id = hired(governance)
        governance.request(request_id)
    with opened(store_url) as governance:
        governance.request(request_id)
        governance.explain(request_id)
    assert snapshot(store_url, request_id) is None


def test_with_personal_texts_no_snapshot_is_read(store_url: str) -> None:
    """Another program, which seals no texts itself, keeps them sealed as it finds them, and they are not read here."""
    with opened(store_url) as governance:
        request_id = hired(governance)
    with opened(store_url, settings=PLAIN) as governance:
        told = governance.opened(governance.request(request_id))
        assert told.reason == "because of her skills"
    assert snapshot(store_url, request_id) is not None
    assert not any(secret in everything_stored(store_url) for secret in SECRETS)
    with opened(store_url) as governance:
        request = governance.request(request_id)
        assert not isinstance(request.decisions, Story)
        assert governance.opened(request) == told
    with opened(store_url, settings=PLAIN) as governance:
        request = governance.request(request_id)
        assert isinstance(request.decisions, Story)
        assert governance.opened(request) == told
        assert governance.opened(request).decisions[3].reason == "met her"
