"""Facts about quotas: how much there is, who has taken of it, and what came back."""

from datetime import timedelta
from typing import ClassVar, Literal

from governance.domain.terms import Fact


class QuotaFact(Fact):
    """An event of a quota."""

    category: ClassVar[str] = "quota"


class QuotaDefined(QuotaFact):
    """So many tokens may be taken within each window of this length.

    `fixed` windows follow each other from 1970-01-01 UTC on; the `sliding` one ends at every moment.
    """

    limit: int
    per: timedelta
    window: Literal["fixed", "sliding"]


class TokensReserved(QuotaFact):
    """A request has taken tokens; it says so itself, in the same transaction."""

    request_id: str
    requirement_id: str
    tokens: int


class TokensReleased(QuotaFact):
    """A request that did not run gave its tokens back."""

    request_id: str
    requirement_id: str
    tokens: int


QuotaEvent = QuotaDefined | TokensReserved | TokensReleased
"""What the stream of a quota holds."""
