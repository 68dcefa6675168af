"""Terms: what events and commands have in common."""

from typing import ClassVar, Literal

from pydantic import Field

from governance.domain.frozen_json import FrozenDict, JsonObject
from governance.domain.mutations import StoredMutation
from governance.domain.requirements import AnyRequirement
from governance.domain.values import Given, Id, Text, Value

Stale = Literal["reject", "renew", "revalidate"]
ResolutionOutcome = Literal["matched", "revalidated", "rejected_as_stale", "renewal_required"]
CompensationKind = Literal["restore", "corrective"]
InterceptorStage = Literal["after", "failed", "blocked"]


class Verdict(Given):
    """What one policy answered, and how long it took in milliseconds."""

    policy: str
    decision: Literal["allow", "deny", "require", "amend"]
    reason: str | None = None
    code: str | None = None
    severity: Literal["info", "warning", "error", "critical"] = "info"
    requirements: tuple[AnyRequirement, ...] = ()
    amendment: StoredMutation | None = None
    metadata: JsonObject = Field(default_factory=FrozenDict)
    took_ms: float = 0.0


class CompensationLink(Given):
    """Which executed request this one puts right, how, and at whose call."""

    request_id: str
    kind: CompensationKind
    trigger: Literal["operator", "automatic"] = "operator"


class RejectionReason(Given):
    """Why somebody said no, for people and for programs."""

    code: Id = "rejected"
    category: Id | None = None
    message: Text = ""
    metadata: JsonObject = Field(default_factory=FrozenDict)


class Drift(Value):
    """One change of the state between evaluation and execution: which version, which request, which paths."""

    version: int
    request_id: str
    paths: tuple[str, ...]


class Fact(Value):
    """An event; `category` sorts it for people who look for decisions."""

    schema_version: ClassVar[int] = 1
    category: ClassVar[str] = "life cycle"
