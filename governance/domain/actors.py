"""Who acts: people, services and the system itself, as the trusted caller has authenticated them."""

from typing import Annotated, Literal

from pydantic import AfterValidator, TypeAdapter

from governance.domain.values import SEALED, Given, Id, Ids

ActorKind = Literal["user", "service", "system", "policy", "scheduler", "administrator"]
_ID: TypeAdapter[str] = TypeAdapter(Id)


def _name_or_sealed(text: str) -> str:
    return text if text.startswith(SEALED) else _ID.validate_python(text, strict=True)


Name = Annotated[str, AfterValidator(_name_or_sealed)]
"""A name as an id may be, or one that was sealed for storage."""


class Actor(Given):
    """Who acts, with the roles and groups that the trusted caller vouches for.

    `on_behalf_of` is the id of the person for whom this actor acts; `authenticated_by` names the method or key.
    """

    id: Id
    kind: ActorKind = "user"
    name: Name | None = None
    roles: Ids = ()
    groups: Ids = ()
    on_behalf_of: Id | None = None
    authenticated_by: Id | None = None

    @property
    def from_store(self) -> bool:
        """Return whether the name was sealed for storage: no caller gives such an actor."""
        return self.name is not None and self.name.startswith(SEALED)

    @property
    def person(self) -> str:
        """Return the id of the person whose decision this is: the one acted for, else the actor."""
        return self.on_behalf_of or self.id

    @property
    def people(self) -> frozenset[str]:
        """Return every id that stands behind this actor: its own and the one that it acts for."""
        return frozenset({self.id, self.person})


ADMINISTRATORS = frozenset({"administrator", "system"})
"""Kinds of actor that may end and redirect what others asked for; they have no say in approvals."""

SYSTEM = Actor(id="governance", kind="system")
"""The product itself, for what time does and no person asked for."""
