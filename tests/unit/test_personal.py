"""Marks of personal fields, and what sealing does to a value: nothing that lasts depends on where it stands."""

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from governance import ConfigurationError, Governance, Mutation, personal
from governance.domain.changes import diff, same
from governance.domain.digest import digest
from governance.domain.personal import ERASED, check_personal, lasting
from governance.event_store.personal_keys import PersonalKeys
from governance.event_store.sealing import Vault, concealed, misplaced

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def vault() -> Vault:
    return Vault(PersonalKeys("sqlite://"))


def event(value: Any) -> bytes:
    return json.dumps({"type": "StateChanged", "by": {"id": "x"}, "data": {"value": value}}).encode()


@given(JSON, st.text(min_size=1), st.integers(1, 9), st.text())
def test_what_is_sealed_comes_back_from_any_place(value: Any, stream: str, version: int, field: str) -> None:
    here = vault()
    sealed = here.sealed("ada", value)
    stored = here.placed(stream, version, event({field: [sealed]}))
    assert here.opened(json.loads(stored)["data"]["value"]) == {field: [value]}
    assert misplaced(stream, version, stored) == []
    assert len(misplaced(stream, version + 1, stored)) == 1
    assert len(misplaced(f"{stream}x", version, stored)) == 1


@given(JSON, JSON)
def test_digest_and_comparison_depend_on_the_value_and_not_on_the_place(one: Any, other: Any) -> None:
    here = vault()
    first, second, different = here.sealed("ada", one), here.sealed("ada", one), here.sealed("ada", [other])
    assert first != second
    placed = json.loads(here.placed("s", 3, event(second)))["data"]["value"]
    assert digest({"a": first}) == digest({"a": placed}) == digest({"a": lasting(first)})
    assert same(first, placed)
    assert diff({"a": first}, {"a": placed}) == ()
    assert same(first, different) == (json.dumps(one) == json.dumps([other]))
    assert not same(first, here.sealed("bob", one))


def test_no_part_of_a_sealed_value_can_be_changed_or_exchanged() -> None:
    here = vault()
    sealed, other = here.sealed("ada", "one"), here.sealed("ada", "two")
    for at in range(len("sealed:1:"), len(sealed) - 1):
        changed = sealed[:at] + ("0" if sealed[at] != "0" else "1") + sealed[at + 1 :]
        assert here.opened(changed) != "one" or _same_bytes(changed, sealed), at
    mine, its = sealed.split(":"), other.split(":")
    for exchanged in ((3,), (4,)):
        parts = [its[at] if at in exchanged else each for at, each in enumerate(mine)]
        assert here.opened(":".join(parts)) == ERASED


def _same_bytes(one: str, other: str) -> bool:
    return one[:-4] == other[:-4]  # the last base64 digit holds bits that count for nothing


def test_text_that_only_looks_sealed_is_text() -> None:
    here = vault()
    for text in ("sealed:1:", "sealed:1:x:y:z:", "sealed:2:" + "0" * 32, " " + here.sealed("ada", 1)):
        assert here.opened({"a": [text]}) == {"a": [text]}


def test_without_keys_sealed_values_are_concealed() -> None:
    assert concealed({"a": (vault().sealed("ada", 1), "b")}) == {"a": ("[sealed]", "b")}


class Marked(BaseModel):
    id: str = ""
    mail: Annotated[str, personal(subject="id")] = ""


class Nested(BaseModel):
    all: dict[str, list[Marked | None]] = Field(default_factory=dict)


class NoSubject(BaseModel):
    mail: Annotated[str, personal(subject="nobody")] = ""


class ItsOwnSubject(BaseModel):
    mail: Annotated[str, personal(subject="mail")] = ""


class MarkInside(BaseModel):
    id: str = ""
    mail: Annotated[str, personal(subject="id")] | None = None


class InSet(BaseModel):
    all: frozenset[Marked] = frozenset()


class NotText(BaseModel):
    id: str = ""
    age: Annotated[int, personal(subject="id")] = 0


class TooShort(BaseModel):
    id: str = ""
    code: Annotated[str, Field(max_length=3), personal(subject="id")] = ""


@pytest.mark.parametrize("model", [NoSubject, ItsOwnSubject, MarkInside, InSet, NotText, TooShort])
def test_a_mark_that_could_not_be_kept_is_refused_when_the_store_is_opened(model: type[BaseModel]) -> None:
    with pytest.raises(ConfigurationError):
        check_personal(model)

    class Change(Mutation[model]):  # type: ignore[valid-type]
        def apply(self, state: Any) -> Any:
            return state

    with pytest.raises(ConfigurationError):
        Governance.open("sqlite://", mutations=[Change])


def test_marks_are_found_at_any_depth() -> None:
    check_personal(Nested)


def test_the_key_of_keys_has_to_be_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("AAAA")
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="can be read by others"):
        PersonalKeys("sqlite://", key_file=str(file))
    file.chmod(0o600)
    for text in ("AAAA", "not base64!", "", "A" * 43 + "é"):
        file.write_text(text)
        with pytest.raises(ConfigurationError):
            PersonalKeys("sqlite://", key_file=str(file))
    with pytest.raises(ConfigurationError):
        PersonalKeys("sqlite://", key_file=str(tmp_path / "missing"))


def test_keys_are_protected_by_the_key_of_keys(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'g.db'}"
    with Governance.open(url, mutations=()):
        pass
    files = []
    for name in ("one", "two"):
        file = tmp_path / name
        file.write_text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" if name == "one" else "B" * 43 + "=")
        file.chmod(0o600)
        files.append(str(file))
    key = PersonalKeys(url, key_file=files[0]).of("ada")
    assert PersonalKeys(url, key_file=files[0]).named(key.id) == key
    assert key.secret not in (tmp_path / "g.db").read_bytes()
    for other in (files[1], None):
        with pytest.raises(ConfigurationError, match="protected by another key"):
            PersonalKeys(url, key_file=other).named(key.id)
