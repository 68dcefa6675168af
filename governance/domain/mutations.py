"""Mutations: named, typed, deterministic operations on one state, stored as data and run from that data only."""

import re
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from governance.domain.digest import digest
from governance.domain.effects import Effect
from governance.domain.errors import ConfigurationError, UnknownMutationError
from governance.domain.frozen_json import JsonObject
from governance.domain.intent import BlastRadius, Intent, Risk, Scope
from governance.domain.reversibility import Reversibility
from governance.domain.values import Given, Refusing

S = TypeVar("S", bound=BaseModel)


class Mutation(BaseModel, Generic[S], metaclass=Refusing):
    """What is asked for: the fields say which, `apply` says what it does to the state.

    `apply` must be pure: it is run on submission to show what would change, and again at execution, perhaps in another
    process at a later time. Fields are strict (`true` is not 1), immutable, and have to survive storage as JSON.

    With `newest_wins`, a new request takes the place of older ones of this type about the same state that still wait.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="constants")

    mutation_type: ClassVar[str]
    mutation_version: ClassVar[int] = 1
    category: ClassVar[str | None] = None
    risk: ClassVar[Risk] = "low"
    tags: ClassVar[tuple[str, ...]] = ()
    blast_radius: ClassVar[BlastRadius | Scope] = "single"
    reversibility: ClassVar[Reversibility | None] = None
    newest_wins: ClassVar[bool] = False

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Name the type after the class, in snake case, unless the class says otherwise."""
        super().__pydantic_init_subclass__(**kwargs)
        if "mutation_type" not in cls.__dict__:
            cls.mutation_type = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()

    def apply(self, state: S) -> S:
        """Return the new state; must be pure."""
        msg = f"{type(self).__name__} must define apply(state)"
        raise ConfigurationError(msg, mutation=self.mutation_type)

    def validate_on(self, state: S) -> list[str]:
        """Return what is wrong with applying this to the state; an empty list when nothing is."""
        return []

    def inverse(self, before: S, after: S) -> "Mutation[S] | None":
        """Return the mutation that puts right what this one did, or None when there is none."""
        return None

    def effects(self, before: S, after: S) -> "list[Effect]":
        """Return what is to be done outside after this was executed."""
        return []

    def reads(self) -> list[str] | None:
        """Return the parts of the state (JSON Pointers) that this reads or writes; None means all of it."""
        return None

    @classmethod
    def upcast(cls, version: int, payload: dict[str, Any]) -> dict[str, Any]:
        """Return a payload of an older `mutation_version` in today's shape; UnknownMutationError if that cannot be."""
        msg = f"{cls.mutation_type} version {version} is stored, and {cls.__name__}.upcast does not know it"
        raise UnknownMutationError(msg, mutation=cls.mutation_type, version=version)

    @classmethod
    def declared_intent(cls) -> Intent:
        """Return what the class says of itself."""
        radius = cls.blast_radius if isinstance(cls.blast_radius, BlastRadius) else BlastRadius(scope=cls.blast_radius)
        return Intent(
            category=cls.category,
            risk=cls.risk,
            blast_radius=radius,
            tags=tuple(sorted(cls.tags)),
            reversibility=cls.reversibility,
        )

    @classmethod
    def state_model(cls) -> type[BaseModel]:
        """Return the model of the state: the type argument of `Mutation[...]`."""
        for base in cls.__mro__:
            metadata = getattr(base, "__pydantic_generic_metadata__", {})
            for argument in metadata.get("args", ()):
                if isinstance(argument, type) and issubclass(argument, BaseModel):
                    return argument
        msg = f"{cls.__name__} does not say what state it changes: derive it from Mutation[YourState]"
        raise ConfigurationError(msg, mutation=cls.__name__)


class StoredMutation(Given):
    """A mutation as the request keeps it: what was approved is what runs, in any process, at any later time."""

    type: str
    version: int
    payload: JsonObject

    @property
    def digest(self) -> str:
        """Return the digest of type, version and payload."""
        return digest(self.model_dump(mode="json"))
