"""The catalog of mutations: what can be registered, and how stored mutations are read."""

import warnings
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from governance import ConfigurationError, InputError, Mutation, UnknownMutationError
from governance.domain.catalog import Catalog
from governance.domain.compensation import Restore
from governance.domain.mutations import StoredMutation
from tests.cases import Add, Counter, GrantAdmin, RevokeAdmin, Roles


class Named(BaseModel):
    """A state with a name of its own."""

    state_type: ClassVar[str] = "Roles"
    x: int = 0


class SameStateName(Mutation[Named]):
    def apply(self, state: Named) -> Named:
        return state


class NoDefault(BaseModel):
    x: int


class OnNoDefault(Mutation[NoDefault]):
    def apply(self, state: NoDefault) -> NoDefault:
        return state


class SameName(Mutation[Roles]):
    mutation_type = "grant_admin"

    def apply(self, state: Roles) -> Roles:
        return state


class NoApply(Mutation[Roles]):
    user: str


class NoState(Mutation):  # type: ignore[type-arg]
    def apply(self, state: Any) -> Any:
        return state


class Second(Mutation[Roles]):
    """The second version of a mutation whose first called its field `name`."""

    mutation_version = 2
    user: str

    def apply(self, state: Roles) -> Roles:
        return state

    @classmethod
    def upcast(cls, version: int, payload: dict[str, Any]) -> dict[str, Any]:
        return {"user": payload["name"]}


class HTTPServerV2Config(Mutation[Roles]):
    def apply(self, state: Roles) -> Roles:
        return state


def catalog(*mutations: Any) -> Catalog:
    return Catalog(mutations or (GrantAdmin, RevokeAdmin, Add, Second), max_payload_bytes=10_000)


def reserved(field: str) -> type[Mutation[Roles]]:
    """Return a mutation with a field of this name."""
    namespace: dict[str, Any] = {"__annotations__": {field: str}, "apply": lambda self, state: state, "__module__": "x"}
    with warnings.catch_warnings(action="ignore"):  # pydantic warns, too
        return type("Reserved", (Mutation[Roles],), namespace)


BAD: dict[str, list[Any]] = {
    "one name for two": [GrantAdmin, SameName],
    "one twice": [GrantAdmin, GrantAdmin],
    "no class": [GrantAdmin(user="x")],
    "another class": [Roles],
    "text": ["grant_admin"],
    "the base": [Mutation],
    "no apply": [NoApply],
    "no state": [NoState],
    "state without default": [OnNoDefault],
    "one state name for two": [GrantAdmin, SameStateName],
    "the name of a built-in": [type("Restore", (GrantAdmin,), {"__module__": "x"})],
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_work_is_a_configuration_error(case: str) -> None:
    with pytest.raises(ConfigurationError):
        catalog(*BAD[case])


@pytest.mark.parametrize("field", ["mutation_type", "mutation_version", "category", "risk", "tags", "blast_radius"])
def test_field_must_not_be_named_like_what_a_class_says_of_itself(field: str) -> None:
    with pytest.raises((ConfigurationError, TypeError, NameError)):
        catalog(reserved(field))


@pytest.mark.parametrize(
    "said",
    [
        {"mutation_type": ""},
        {"mutation_type": "a\0b"},
        {"mutation_type": "x" * 201},
        {"mutation_type": 5},
        {"mutation_version": 0},
        {"mutation_version": "1"},
        {"mutation_version": True},
        {"mutation_version": 2**53},
        {"risk": "none"},
        {"tags": "abc"},
        {"tags": ("",)},
        {"tags": (1, "a")},
        {"category": ""},
        {"blast_radius": "planet"},
        {"blast_radius": 5},
    ],
    ids=str,
)
def test_class_that_says_nonsense_of_itself_is_a_configuration_error(said: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        catalog(type("Odd", (GrantAdmin,), {"__module__": "x", **said}))


def test_names_are_snake_case_of_the_class() -> None:
    assert GrantAdmin.mutation_type == "grant_admin"
    assert HTTPServerV2Config.mutation_type == "http_server_v2_config"
    assert list(catalog().mutations) == ["add", "grant_admin", "revoke_admin", "second"]


def test_mutation_comes_back_from_storage_as_it_was() -> None:
    stored = catalog().store(GrantAdmin(user="ada"))
    assert stored == StoredMutation(type="grant_admin", version=1, payload={"user": "ada"})
    assert catalog().load(stored) == GrantAdmin(user="ada")


def test_older_shape_is_brought_up_to_today_s() -> None:
    assert catalog().load(StoredMutation(type="second", version=1, payload={"name": "ada"})) == Second(user="ada")


@pytest.mark.parametrize(
    "stored",
    [
        StoredMutation(type="unheard_of", version=1, payload={}),
        StoredMutation(type="os:system", version=1, payload={}),
        StoredMutation(type="grant_admin", version=2, payload={"user": "ada"}),
        StoredMutation(type="second", version=1, payload={"oops": 1}),
        StoredMutation(type="second", version=0, payload={}),
        StoredMutation(type="grant_admin", version=0, payload={"user": "ada"}),
    ],
    ids=str,
)
def test_mutation_that_cannot_be_read_is_named(stored: StoredMutation) -> None:
    with pytest.raises(UnknownMutationError) as caught:
        catalog().load(stored)
    assert caught.value.ids["mutation"] == stored.type
    assert caught.value.ids["version"] == str(stored.version)


@pytest.mark.parametrize("payload", [{}, {"user": 1}, {"user": "ada", "more": 1}, {"user": None}, {"user": True}])
def test_stored_payload_of_another_shape_is_refused_with_its_field(payload: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        catalog().load(StoredMutation(type="grant_admin", version=1, payload=payload))
    assert caught.value.ids["field"].startswith("mutation.")


@pytest.mark.parametrize(
    "payload", [None, [], "x", 1, {"user": 1}, {}, {"user": "a", "b": 1}, {"user": "\0"}, {1: "x"}]
)
def test_payload_from_outside_is_refused_with_its_field(payload: object) -> None:
    with pytest.raises(InputError) as caught:
        catalog().parse("grant_admin", payload)
    assert caught.value.ids["field"].startswith("mutation")


@pytest.mark.parametrize(
    "name", ["", "Grant_Admin", "grant_admin ", "restore", "os:system", "\0", "\ud800", "x" * 10_000]
)
def test_unknown_mutation_is_named(name: str) -> None:
    with pytest.raises(UnknownMutationError) as caught:
        catalog().parse(name, {"user": "ada"})
    assert caught.value.ids["mutation"] == name


def test_restoration_can_be_read_and_not_be_asked_for() -> None:
    restore = Restore(request_id="r", version=1, value={"admins": []})
    assert catalog().load(catalog().store(restore)) == restore
    assert "restore" not in catalog().mutations


def test_state_that_does_not_exist_yet_is_the_default_of_its_type() -> None:
    state = catalog().initial("x", "Counter")
    assert (state.id, state.version, catalog().read(state)) == ("x", 0, Counter())


class Bag(BaseModel):
    """A state whose parts have no order."""

    members: frozenset[str] = frozenset()


class Fill(Mutation[Bag]):
    members: frozenset[str]

    def apply(self, state: Bag) -> Bag:
        return Bag(members=state.members | self.members)


def test_order_of_a_set_is_the_same_in_every_process() -> None:
    names = frozenset({"ada", "grace", "alan", "edsger", "barbara", "tony", "kathleen"})
    stored = catalog(Fill).store(Fill(members=names))
    assert stored.payload == {"members": sorted(names)}
