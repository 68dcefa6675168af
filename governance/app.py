"""An application of governance: what may be changed and under which policies, for programs that open the store."""

from collections.abc import Iterable
from dataclasses import dataclass

from governance.application import Governance
from governance.domain.catalog import AnyMutation
from governance.domain.policies import Policy
from governance.settings import Settings


@dataclass(frozen=True, kw_only=True)
class App:
    """The mutations and policies in force, named to `gov` and to workers as `--app module:attribute`."""

    mutations: Iterable[type[AnyMutation]]
    policies: Iterable[Policy] = ()
    settings: Settings | None = None

    def open(self, url: str) -> Governance:
        """Return the governance of the store at the url by this application; raises what `Governance.open` does."""
        return Governance.open(url, mutations=self.mutations, policies=self.policies, settings=self.settings)
