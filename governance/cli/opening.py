"""What a store answers, with personal values opened for whoever runs the command: `[erased]` where they were erased."""

from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from governance.cli.session import Session
    from governance.event_store.sealing import Vault

T = TypeVar("T")


def opening(thing: T, vault: "Vault | None") -> T:
    """Return the thing, every answer of whose methods is opened."""
    return thing if vault is None else cast(T, _Opening(thing, vault))


def vault_of(session: "Session") -> "Vault":
    """Return what opens personal values of the store; nothing is read before there is one to open."""
    from governance.event_store.personal_keys import PersonalKeys
    from governance.event_store.sealing import Vault
    from governance.settings import Settings

    settings = Settings()
    return Vault(PersonalKeys(session.url, settings.database_schema, settings.personal_key_file))


class _Opening:
    def __init__(self, thing: Any, vault: "Vault") -> None:
        self._thing = thing
        self._vault = vault

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._thing, name)
        if not callable(found):
            return found

        @wraps(found)
        def answered(*given: Any, **named: Any) -> Any:
            return self._vault.opened(found(*given, **named))

        return answered
