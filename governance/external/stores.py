"""The interface of a store in which states live that governance does not keep itself."""

from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel

from governance.domain.errors import GovernanceError


class Loaded(NamedTuple):
    """A value as another system has it, and what it calls that version: any text, never used for another value."""

    value: Any
    version: str


class VersionMismatchError(GovernanceError):
    """Raised by a store: the state is not at the expected version, nothing was written, and never will be."""

    rule = "version-mismatch"


class StateStore(Protocol):
    """Reads and writes the states of one type in another system.

    Errors other than VersionMismatchError mean that nobody knows whether it was written; `outcome` is asked then.
    """

    @property
    def state(self) -> type[BaseModel]:
        """Return the model of the states that live there."""

    def load(self, state_id: str) -> Loaded | None:
        """Return the value and version of a state, None for one that is not there."""

    def compare_and_set(self, state_id: str, value: Any, *, expected: str | None, key: str) -> str:
        """Write the value if the state is at the expected version (None: not there), and return the new version.

        Called again with a key under which it has written, it writes nothing and returns the version it made then.
        Raises VersionMismatchError when the state is at another version.
        """

    def outcome(self, state_id: str, key: str) -> str | None:
        """Return the version that was made under the key, None when nothing was written under it."""
