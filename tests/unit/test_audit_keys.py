"""Keys of checkpoints: kept from others, replaced, revoked, and judged by when they signed."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from governance import ConfigurationError, NotFoundError
from governance.audit.keys import KeyStore
from governance.audit.notes import Checkpoint, NoteError
from tests.audit_stores import NOW

LATER = NOW + timedelta(days=30)
DAY = timedelta(days=1)


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    store = KeyStore(tmp_path / "keys")
    store.generate("example.com/log", NOW)
    return store


def signed(keys: KeyStore, at: datetime) -> str:
    return keys.signer().sign(Checkpoint.at("example.com/log", 1, bytes(32), position=1, time=at).text())


def test_the_private_key_is_for_its_owner_only(keys: KeyStore) -> None:
    private = next(keys.directory.glob("*.private"))

    assert private.stat().st_mode & 0o777 == 0o600
    assert keys.directory.stat().st_mode & 0o777 == 0o700
    assert private.read_text().strip() not in (keys.directory / "keys.json").read_text()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_private_key_that_others_can_read_signs_nothing(keys: KeyStore, mode: int) -> None:
    next(keys.directory.glob("*.private")).chmod(mode)

    with pytest.raises(ConfigurationError, match="chmod 600"):
        keys.signer()


def test_a_list_that_others_can_write_is_not_trusted(keys: KeyStore) -> None:
    (keys.directory / "keys.json").chmod(0o666)

    with pytest.raises(ConfigurationError, match="decides what is trusted"):
        keys.keys()


def test_what_was_signed_counts(keys: KeyStore) -> None:
    assert keys.verified(signed(keys, NOW), LATER)


def test_nothing_counts_from_before_the_key_was_made(keys: KeyStore) -> None:
    with pytest.raises(NoteError, match="since"):
        keys.verified(signed(keys, NOW - DAY), LATER)


def test_after_a_rotation_old_signatures_count_and_new_ones_by_the_old_key_do_not(keys: KeyStore) -> None:
    before, too_late = signed(keys, NOW), signed(keys, LATER + DAY)

    made = keys.rotate(None, LATER)

    assert keys.signer().verifier.id.hex() == made.id
    assert len(keys.keys()) == 2
    assert keys.verified(before, LATER + DAY)
    assert keys.verified(signed(keys, LATER + DAY), LATER + DAY)
    with pytest.raises(NoteError, match="until"):
        keys.verified(too_late, LATER + DAY)


def test_a_revoked_key_counts_for_nothing(keys: KeyStore) -> None:
    text, key = signed(keys, NOW), keys.keys()[0]

    keys.revoke(key.id, LATER, since=None, reason="lost")

    with pytest.raises(NoteError, match=r"revoked.*lost"):
        keys.verified(text, LATER)
    assert not list(keys.directory.glob("*.private"))
    with pytest.raises(NotFoundError):
        keys.signer()


def test_a_key_revoked_from_a_time_on_counts_before_it(keys: KeyStore) -> None:
    before, after = signed(keys, NOW), signed(keys, LATER)

    keys.revoke(keys.keys()[0].id, LATER + DAY, since=NOW + DAY, reason="stolen")

    assert keys.verified(before, LATER + DAY)
    with pytest.raises(NoteError, match="stolen"):
        keys.verified(after, LATER + DAY)


def test_a_key_of_somebody_else_is_trusted_when_told_so(keys: KeyStore, tmp_path: Path) -> None:
    others = KeyStore(tmp_path / "others")
    with pytest.raises(NoteError):
        others.verified(signed(keys, NOW), LATER)

    others.trust(keys.keys()[0].key)

    assert others.verified(signed(keys, NOW), LATER)
    with pytest.raises(ConfigurationError, match="sign where it is"):
        others.signer()
    with pytest.raises(ConfigurationError, match="already"):
        others.trust(keys.keys()[0].key)
    with pytest.raises(ConfigurationError):
        others.trust("no key")


def test_one_key_in_use_per_name(keys: KeyStore) -> None:
    with pytest.raises(ConfigurationError, match="rotate"):
        keys.generate("example.com/log", NOW)
    keys.generate("example.com/other", NOW)
    with pytest.raises(ConfigurationError, match="several"):
        keys.signer()
    assert keys.signer("example.com/other").name == "example.com/other"


@pytest.mark.parametrize("text", ["", "[]", '{"keys": [{}]}', '{"keys": [{"key": "x", "since": "soon"}]}'])
def test_an_edited_list_is_refused(keys: KeyStore, text: str) -> None:
    (keys.directory / "keys.json").write_text(text)

    with pytest.raises(ConfigurationError):
        keys.keys()


def test_an_exchanged_private_key_is_refused(keys: KeyStore, tmp_path: Path) -> None:
    others = KeyStore(tmp_path / "others")
    others.generate("example.com/log", NOW)
    stolen = next(others.directory.glob("*.private")).read_text()
    next(keys.directory.glob("*.private")).write_text(stolen)

    with pytest.raises(ConfigurationError, match="another key"):
        keys.signer()
