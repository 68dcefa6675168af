"""External states as governance sees them: loaded from their stores, and compared with the mirror in the log."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pydantic import BaseModel

from governance.domain.catalog import Catalog
from governance.domain.changes import diff
from governance.domain.digest import digest
from governance.domain.errors import ConfigurationError, StoreUnavailableError
from governance.domain.events import ExternalStateChanged
from governance.domain.json_limits import check_json, dump
from governance.domain.mutations import Mutation
from governance.domain.personal import has_personal
from governance.domain.state import StateVersion
from governance.domain.values import clean
from governance.external.stores import Loaded, StateStore, VersionMismatchError
from governance.repository import Repository

T = TypeVar("T")


class ExternalStates:
    """The stores of one process, by the type of the states that live there."""

    def __init__(self, stores: Iterable[StateStore], catalog: Catalog, repository: Repository, max_bytes: int) -> None:
        """Raises ConfigurationError for what is no store, a type that no mutation changes, and two of a type."""
        self._catalog = catalog
        self._repository = repository
        self._max_bytes = max_bytes
        self._stores: dict[str, StateStore] = {}
        for store in stores:
            self._add(store)

    def governs(self, state_type: str | None) -> bool:
        """Return whether states of this type live in another system."""
        return state_type in self._stores

    def changed_by(self, mutation: object) -> bool:
        """Return whether a mutation changes a state that lives in another system."""
        return isinstance(mutation, Mutation) and _name(mutation.state_model()) in self._stores

    def current(self, state_id: str, state_type: str) -> StateVersion:
        """Return the state as it is in its store now; `observed` is set when the mirror does not know it so yet."""
        mirrored = self._repository.state(state_id) or self._catalog.initial(state_id, state_type)
        loaded = self._asked(state_type, lambda store: store.load(state_id))
        if loaded is None or loaded.version == mirrored.external_version:
            if loaded is None and mirrored.version:
                msg = f"state {state_id} is gone from its store; the log knows it at version {mirrored.version}"
                raise ConfigurationError(msg, state=state_id, state_type=state_type)
            return mirrored
        value = self._dumped(state_type, loaded)
        observed = ExternalStateChanged(
            state_type=state_type,
            value=value,
            digest=digest(value),
            change_set=diff(mirrored.value, value),
            request_id="",
            external_version=loaded.version,
        )
        return mirrored.model_copy(
            update={
                "version": mirrored.version + 1,
                "value": value,
                "digest": observed.digest,
                "external_version": loaded.version,
                "observed": observed,
            }
        )

    def write(self, state_type: str, state_id: str, value: Any, expected: str | None, key: str) -> str:
        """Return the version that was made; raises VersionMismatchError, and StoreUnavailableError for all else."""
        model = self._catalog.model(state_type).model_validate(value)
        made = self._asked(state_type, lambda store: store.compare_and_set(state_id, model, expected=expected, key=key))
        return _version(made, state_id)

    def outcome(self, state_type: str, state_id: str, key: str) -> str | None:
        """Return the version that was made under the key, None when none was."""
        found = self._asked(state_type, lambda store: store.outcome(state_id, key))
        return None if found is None else _version(found, state_id)

    def version_of(self, state_type: str, state_id: str) -> str | None:
        """Return the version that the state is at in its store, None when it is not there."""
        loaded = self._asked(state_type, lambda store: store.load(state_id))
        return None if loaded is None else loaded.version

    def _asked(self, state_type: str, ask: Callable[[StateStore], T]) -> T:
        try:
            return ask(self._stores[state_type])
        except VersionMismatchError:
            raise
        except Exception as error:
            msg = clean(f"the store of {state_type} did not answer: {type(error).__name__}: {error}")
            raise StoreUnavailableError(msg, state_type=state_type) from error

    def _dumped(self, state_type: str, loaded: Loaded) -> Any:
        model = self._catalog.model(state_type)
        typed = loaded.value if isinstance(loaded.value, model) else model.model_validate(loaded.value)
        value = dump(typed, field="state")
        check_json(value, field="state", max_bytes=self._max_bytes)
        return value

    def _add(self, store: StateStore) -> None:
        model = getattr(store, "state", None)
        missing = [name for name in ("load", "compare_and_set", "outcome") if not callable(getattr(store, name, None))]
        if missing or not (isinstance(model, type) and issubclass(model, BaseModel)):
            msg = f"state_stores: {store!r} is no StateStore: it needs state, load, compare_and_set and outcome"
            raise ConfigurationError(msg)
        name = _name(model)
        if not self._catalog.knows_state(name):
            msg = f"state_stores: no mutation changes states of type {name}"
            raise ConfigurationError(msg, state_type=name)
        if name in self._stores:
            msg = f"state_stores: two stores are for {name}"
            raise ConfigurationError(msg, state_type=name)
        if has_personal(model):
            msg = f"state_stores: {name} has personal fields, which are sealed only in states that live in the log"
            raise ConfigurationError(msg, state_type=name)
        self._stores[name] = store


def _name(model: type[BaseModel]) -> str:
    return str(getattr(model, "state_type", model.__name__))


def _version(made: object, state_id: str) -> str:
    if isinstance(made, str) and made:
        return made
    msg = f"the store of state {state_id} answered {made!r}, not a version"
    raise StoreUnavailableError(msg, state=state_id)
