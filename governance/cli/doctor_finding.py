"""What `gov doctor` found, and what it looks at."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from governance.application import Governance
    from governance.cli.doctor_holders import Holders
    from projections import Views

MAX_NAMED: Final = 100
"""How many requests one finding names; it counts all of them."""
PAGE: Final = 500


class Named(BaseModel):
    """A request that a finding is about, and which of its requirements."""

    model_config = ConfigDict(frozen=True)

    request_id: str
    requirement_id: str | None = None


class Finding(BaseModel):
    """Something that is not as it should be, and what to do about it."""

    model_config = ConfigDict(frozen=True)

    kind: str
    what: str
    next: str
    count: int = 1
    requests: tuple[Named, ...] = ()

    @classmethod
    def about(cls, kind: str, requests: Iterable[Named], *, what: str, next: str) -> "Finding":
        """Return the finding about some requests: all are counted, the first are named."""
        named = tuple(requests)
        return cls(kind=kind, what=what, next=next, count=len(named), requests=named[:MAX_NAMED])


@dataclass(frozen=True)
class Examined:
    """A store that is looked at: its views, and itself as an application, if one was named, has opened it."""

    views: "Views"
    governance: "Governance"
    holders: "Holders | None"
    """Who has which role, None when no directory says it."""
    now: datetime
    app_known: bool
