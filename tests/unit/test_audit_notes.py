"""Signed notes and checkpoints: the vectors of the Go library that others follow, and what is refused."""

from datetime import UTC, datetime

import pytest

from governance.audit.notes import Checkpoint, Note, NoteError, Signer, Verifier, opened

VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SKEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
SIGNED = f"{TEXT}\n— PeterNeumann {SIGNATURE}\n"
CHECKPOINT = Checkpoint.at("example.com/log", 7, bytes(range(32)), position=9, time=datetime(2026, 3, 2, tzinfo=UTC))


def test_the_known_key_signs_and_verifies_the_known_note() -> None:
    assert Note.parse(SIGNED).signed_by([Verifier.parse(VKEY)]) == (Verifier.parse(VKEY),)
    assert Signer.parse(SKEY).sign(TEXT) == SIGNED
    assert str(Signer.parse(SKEY).verifier) == VKEY
    assert Signer.parse(SKEY).text() == SKEY


def test_a_private_key_is_not_shown_by_accident() -> None:
    signer = Signer.parse(SKEY)

    assert SKEY not in f"{signer} {signer!r}"
    with pytest.raises(NoteError) as caught:
        Signer.parse(SKEY[:-1])
    assert "AYEK" not in str(caught.value)


def test_every_changed_character_of_a_note_is_found() -> None:
    for at, char in enumerate(SIGNED):
        changed = SIGNED[:at] + ("x" if char != "x" else "y") + SIGNED[at + 1 :]
        with pytest.raises(NoteError):
            Note.parse(changed).signed_by([Verifier.parse(VKEY)])


@pytest.mark.parametrize(
    "text",
    ["", "text\n", "text\n\n", "text\n\n— a b", "text\n\n- a AAAAAAAA\n", "a\tb\n\n— a AAAAAAAA\n", "t\n\n— a AAAA\n"],
)
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        Note.parse(text)


@pytest.mark.parametrize("key", ["", "a", "a+b+c", VKEY[:-1], VKEY.replace("c74f", "c74e"), f"x{VKEY}"])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(NoteError):
        Verifier.parse(key)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u00a0b"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(NoteError):
        Signer.generate(name)


def test_a_checkpoint_has_the_form_of_c2sp() -> None:
    signer = Signer.generate("example.com/log")

    lines = signer.sign(CHECKPOINT.text()).split("\n")

    assert lines[:3] == ["example.com/log", "7", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]
    assert lines[3:6] == ["position 9", "time 2026-03-02T00:00:00Z", ""]
    assert lines[6].startswith("— example.com/log ")


def test_a_checkpoint_survives_signing() -> None:
    signer, other = Signer.generate("example.com/log"), Signer.generate("example.com/log")

    checkpoint, keys = opened(signer.sign(CHECKPOINT.text()), [other.verifier, signer.verifier])

    assert (checkpoint, keys) == (CHECKPOINT, (signer.verifier,))
    assert (checkpoint.position, checkpoint.time) == (9, datetime(2026, 3, 2, tzinfo=UTC))
    with pytest.raises(NoteError, match="no trusted key"):
        opened(signer.sign(CHECKPOINT.text()), [other.verifier])


def test_a_checkpoint_of_another_tool_has_no_position_and_no_time() -> None:
    checkpoint = Checkpoint.parse("o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")

    assert (checkpoint.size, checkpoint.position, checkpoint.time) == (0, None, None)


@pytest.mark.parametrize("text", ["", "o\n", "o\n01\nAA==\n", "o\n-1\nAA==\n", "o\n1\nAA==\n", "\n1\n\n", "o\n1\n"])
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        Checkpoint.parse(text)
