"""An application of governance: what may be changed and under which policies, for programs that open the store."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from governance.application import Governance
from governance.checks.checkers import Checker
from governance.directory import Directory
from governance.domain.catalog import AnyMutation
from governance.domain.policies import Policy
from governance.effects.handlers import EffectHandler
from governance.event_store.log import EventLog
from governance.external.stores import StateStore
from governance.intercepting import Interceptor
from governance.settings import Settings


@dataclass(frozen=True, kw_only=True)
class App:
    """What may be changed, by which policies, and who has which roles; `--app module:attribute` names it to `gov`."""

    mutations: Iterable[type[AnyMutation]]
    policies: Iterable[Policy] = ()
    directory: Directory | None = None
    checkers: Iterable[Checker] = ()
    effect_handlers: Iterable[EffectHandler] = ()
    state_stores: Iterable[StateStore] = ()
    interceptors: Iterable[Interceptor] = ()
    settings: Settings | None = None

    def open(self, url: str) -> Governance:
        """Return the governance of the store at the url by this application; raises what `Governance.open` does."""
        return Governance.open(url, **self._parts)

    def over(self, log: EventLog) -> Governance:
        """Return the governance of a store whose log is open already."""
        try:
            return Governance(log, **self._parts)
        except BaseException:
            log.close()
            raise

    @property
    def _parts(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}
