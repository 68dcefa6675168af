"""The catalog of mutations: by which names stored mutations and states are read, and nothing else is."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import BaseModel, Field, JsonValue, TypeAdapter, ValidationError

from governance.domain.compensation import Restore
from governance.domain.digest import digest
from governance.domain.errors import (
    ConfigurationError,
    InputError,
    UnknownMutationError,
    UnreadableStateError,
)
from governance.domain.json_limits import check_json, dump, input_error
from governance.domain.mutations import Mutation, StoredMutation
from governance.domain.personal import Sealer, check_personal, has_personal, lasting, seal
from governance.domain.state import StateVersion
from governance.domain.values import Given, Id, Ids

AnyMutation = Mutation[Any]
T = TypeVar("T")
_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)
_RESERVED = (
    "mutation_type",
    "mutation_version",
    "category",
    "risk",
    "tags",
    "blast_radius",
    "reversibility",
    "newest_wins",
)


class Catalog:
    """Knows every registered mutation type and the state models that they change."""

    def __init__(
        self, mutations: Iterable[type[AnyMutation]], *, max_payload_bytes: int, sealer: Sealer | None = None
    ) -> None:
        self._max_payload_bytes = max_payload_bytes
        self._sealer = sealer
        self._personal = False
        self._mutations: dict[str, type[AnyMutation]] = {Restore.mutation_type: Restore}
        self._states: dict[str, type[BaseModel]] = {}
        self._defaults: dict[str, StateVersion] = {}
        named = tuple(mutations)
        for mutation in named:
            self._register(mutation)
        for mutation in named:
            self._register_inverses(mutation)

    def learn(self, mutation: AnyMutation) -> None:
        """Register the type of a mutation that a registered one has just given as its inverse, if it is unknown."""
        if mutation.mutation_type not in self._mutations:
            self._register(type(mutation))

    @property
    def mutations(self) -> Mapping[str, type[AnyMutation]]:
        """Return the mutations that can be submitted, by type name."""
        return {name: each for name, each in sorted(self._mutations.items()) if each is not Restore}

    def newest_wins(self, stored: StoredMutation) -> bool:
        """Return whether the newest request of a mutation takes the place of older ones that wait."""
        return self._mutations[stored.type].newest_wins

    def state_type(self, mutation: type[AnyMutation]) -> str:
        """Return the name of the type of state that a mutation changes."""
        return _state_type(mutation.state_model())

    def store(self, mutation: AnyMutation) -> StoredMutation:
        """Return the mutation as data; InputError when it would not come back the same."""
        known = self._mutations.get(mutation.mutation_type)
        if known is not type(mutation):
            msg = f"{type(mutation).__name__} is not among the mutations that this Governance was opened with"
            raise UnknownMutationError(msg, mutation=mutation.mutation_type)
        payload = dump(mutation, field="mutation")
        if known is not Restore:  # its value is that of a state, which was checked by a limit of its own
            check_json(payload, field="mutation", max_bytes=self._max_payload_bytes)
            payload = self.sealed(mutation, payload)
        stored = StoredMutation(type=mutation.mutation_type, version=mutation.mutation_version, payload=payload)
        if known is not Restore and self.load(stored) != mutation:
            msg = f"mutation: {mutation.mutation_type} does not come back from JSON as it went in"
            raise InputError(msg, field="mutation")
        return stored

    def sealed(self, value: BaseModel, dumped: Any) -> Any:
        """Return the JSON of a model's value with its personal fields sealed; InputError when it is not said whose."""
        if self._sealer is None or not has_personal(type(value)):
            return dumped
        return seal(value, dumped, self._sealer)

    def opened(self, thing: T) -> T:
        """Return a thing for user code and readers, with all that is sealed in it opened."""
        active = self._sealer is not None and (self._personal or self._sealer.texts)
        return self._sealer.opened(thing) if self._sealer is not None and active else thing

    def keyed(self, subject: str, digest: str) -> str:
        """Return the digest of what holds texts that are personal by rule: one that nobody can guess them by."""
        if self._sealer is None or not self._sealer.texts:
            return digest
        return f"keyed:{lasting(self._sealer.sealed(subject, digest)).rpartition(':')[2]}"

    def _opened(self, model: type[BaseModel], json: Any) -> Any:
        if model is Restore:
            return self.opened(json)
        return self._sealer.opened(json) if self._sealer is not None and has_personal(model) else json

    def load(self, stored: StoredMutation) -> AnyMutation:
        """Return the mutation that was stored, old shapes brought up to today's."""
        known = self._mutations.get(stored.type)
        if known is None or not 1 <= stored.version <= known.mutation_version:
            msg = f"mutation type {stored.type!r} version {stored.version} is not known here"
            raise UnknownMutationError(msg, mutation=stored.type, version=stored.version)
        payload: dict[str, Any] = self._opened(known, stored.payload)
        if stored.version < known.mutation_version:
            payload = _upcast(known, stored, payload)
        return self._read(known, payload)

    def parse(self, mutation_type: str, payload: object) -> AnyMutation:
        """Return a new mutation from JSON values; UnknownMutationError or InputError, naming the field."""
        known = self.mutations.get(mutation_type)
        if known is None:
            names = ", ".join(self.mutations) or "none"
            msg = f"there is no mutation {mutation_type!r}; registered are: {names}"
            raise UnknownMutationError(msg, mutation=mutation_type)
        check_json(payload, field="mutation", max_bytes=self._max_payload_bytes)
        return self._read(known, payload)

    def initial(self, state_id: str, state_type: str) -> StateVersion:
        """Return version 0 of a state: the default of its model; UnknownMutationError for a type of no mutation."""
        default = self._defaults.get(state_type)
        if default is None:
            msg = f"states of type {state_type!r} are not known here"
            raise UnknownMutationError(msg, state=state_id, state_type=state_type)
        return default.model_copy(update={"id": state_id})

    def only_state_type(self) -> str | None:
        """Return the name of the registered state type when there is exactly one."""
        return next(iter(self._states)) if len(self._states) == 1 else None

    def read(self, state: StateVersion) -> Any:
        """Return a fresh model of the state's value; UnreadableStateError when it does not fit."""
        model = self._states.get(state.type or "")
        if model is None:
            return deepcopy(self.opened(state.value))
        try:
            return model.model_validate_json(_JSON.dump_json(self._opened(model, state.value)))
        except ValidationError as error:
            what = input_error(error).message
            msg = f"version {state.version} of state {state.id} is not a {state.type}: {what}"
            raise UnreadableStateError(msg, state=state.id, version=state.version) from None

    def model(self, state_type: str | None) -> type[BaseModel]:
        """Return the model of a state type; UnreadableStateError when it is not registered."""
        model = self._states.get(state_type or "")
        if model is None:
            msg = f"state type {state_type!r} is not registered"
            raise UnreadableStateError(msg, state_type=state_type)
        return model

    def knows_state(self, state_type: str | None) -> bool:
        """Return whether the state type is registered."""
        return state_type in self._states

    def _read(self, known: type[AnyMutation], payload: object) -> AnyMutation:
        try:
            return known.model_validate_json(_JSON.dump_json(payload))  # type: ignore[arg-type]
        except ValidationError as error:
            raise input_error(error, "mutation") from None

    def _register(self, mutation: type[AnyMutation]) -> None:
        if not (isinstance(mutation, type) and issubclass(mutation, Mutation)) or mutation.apply is Mutation.apply:
            msg = f"{mutation!r} is not a mutation: derive a class from Mutation[YourState] and define apply"
            raise ConfigurationError(msg, mutation=mutation)
        _check_declared(mutation)
        if mutation.mutation_type in self._mutations:
            msg = f"two mutations are named {mutation.mutation_type!r}; set mutation_type on one of them"
            raise ConfigurationError(msg, mutation=mutation.mutation_type)
        taken = [name for name in _RESERVED if name in mutation.model_fields]
        if taken:
            msg = f"{mutation.__name__} has a field {taken[0]!r}, which names something of every mutation's class"
            raise ConfigurationError(msg, mutation=mutation.mutation_type, field=taken[0])
        self._check_personal(mutation)
        self._mutations[mutation.mutation_type] = mutation
        self._register_state(mutation.state_model())

    def _check_personal(self, model: type[BaseModel]) -> None:
        if has_personal(model):
            check_personal(model)
            self._personal = True
            if self._sealer is None:
                msg = f"{model.__name__} has personal fields, and there is nothing here to seal them with"
                raise ConfigurationError(msg, model=model.__name__)

    def _register_inverses(self, mutation: type[AnyMutation]) -> None:
        """Register what `inverse` is annotated to return, so that every process can run what compensates."""
        try:
            returned = get_type_hints(mutation.inverse).get("return")
        except NameError:  # a class of a function's own scope cannot be found by its name
            return
        for each in (returned, *get_args(returned)):
            named = isinstance(each, type) and issubclass(each, Mutation) and each.apply is not Mutation.apply
            if named and each.mutation_type not in self._mutations:
                self._register(each)

    def _register_state(self, model: type[BaseModel]) -> None:
        self._check_personal(model)
        name = _state_type(model)
        if self._states.setdefault(name, model) is not model:
            msg = f"two state models are named {name!r}; set state_type on one of them"
            raise ConfigurationError(msg, state_type=name)
        try:
            value = dump(model(), field=name)
        except ValidationError as error:
            msg = f"{name} needs a default for every field: a state that does not exist yet is {name}()"
            raise ConfigurationError(msg, state_type=name, field=input_error(error).ids["field"]) from None
        self._defaults[name] = StateVersion(id="", type=name, value=value, digest=digest(value))


class _Declared(Given):
    """What a mutation's class has to say of itself."""

    mutation_type: Id
    mutation_version: int = Field(ge=1, le=1_000_000)
    tags: Ids
    newest_wins: bool


def _check_declared(mutation: type[AnyMutation]) -> None:
    try:
        _Declared(
            mutation_type=mutation.mutation_type,
            mutation_version=mutation.mutation_version,
            tags=mutation.tags,
            newest_wins=mutation.newest_wins,
        )
        mutation.declared_intent()
    except (InputError, TypeError) as error:
        msg = f"{mutation.__name__} says nonsense of itself: {error}"
        raise ConfigurationError(msg, mutation=mutation.__name__) from None


def _upcast(known: type[AnyMutation], stored: StoredMutation, payload: dict[str, Any]) -> dict[str, Any]:
    try:
        return known.upcast(stored.version, deepcopy(payload))
    except UnknownMutationError:
        raise
    except Exception as error:
        msg = f"{known.__name__}.upcast cannot read version {stored.version}: {type(error).__name__}: {error}"
        raise UnknownMutationError(msg, mutation=stored.type, version=stored.version) from error


def _state_type(model: type[BaseModel]) -> str:
    return str(getattr(model, "state_type", model.__name__))
