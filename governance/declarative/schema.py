"""The shape of a policy file and of a file of tests, as editors and `gov policy schema` get to know it."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    WithJsonSchema,
    model_validator,
)

from governance.declarative.conditions import CheckPart, ConditionPart, QuotaPart, SchedulePart
from governance.declarative.parts import Duration, Part
from governance.domain.intent import Intent
from governance.domain.values import Id, Moment, Reason, Text


def _several(given: object) -> object:
    if isinstance(given, list):
        return tuple(given)
    return (given,) if isinstance(given, str | int) else given


OneOrMore = Annotated[tuple[Id, ...], BeforeValidator(_several), Field(min_length=1)]
_ONE_OR_MORE = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
Names = Annotated[OneOrMore, WithJsonSchema(_ONE_OR_MORE)]
"""One name, or a list of them."""
Steps = Annotated[
    tuple[Annotated[int, Field(ge=1)], ...],
    BeforeValidator(_several),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "array", "items": {"type": "integer", "minimum": 1}}]}
    ),
]
"""One step, or a list of them."""
Cel = Annotated[str, Field(min_length=1, max_length=2_000, description="An expression in CEL.")]
Severity = Literal["info", "warning", "error", "critical"]


CONDITIONS = frozenset({"schedule", "quota", "external_check"})


class RequirementPart(Part):
    """An approval: what `approval(...)` takes; or, alone, one of `schedule`, `quota` and `external_check`."""

    role: Names | None = None
    group: Names | None = None
    actor: Names | None = None
    quorum: Annotated[int, Field(ge=1, description="How many distinct people have to say yes.")] = 1
    step: Annotated[int, Field(ge=1, description="Lower steps come first.")] = 1
    expires_after: Annotated[Duration | None, Field(description="How long there is to decide.")] = None
    expires_at: Annotated[Moment | None, Field(description="Until when there is to decide, with a time zone.")] = None
    veto: Annotated[
        bool | Annotated[int, Field(ge=1)],
        Field(description="Whether one rejection ends the request, or how many do; without, a hopeless quorum does."),
    ] = True
    different_from_step: Annotated[
        Steps, Field(description="Who approved in one of these earlier steps may not approve here.")
    ] = ()
    chains: Annotated[bool, Field(description="Whether a delegate may delegate on.")] = False
    schedule: Annotated[SchedulePart | None, Field(description="A time or a window, in place of an approval.")] = None
    quota: Annotated[QuotaPart | None, Field(description="Tokens of a quota, in place of an approval.")] = None
    external_check: Annotated[CheckPart | None, Field(description="A check of this name, in place of an approval.")] = (
        None
    )

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        given = self.model_fields_set
        if given & CONDITIONS and len(given) > 1:
            msg = f"is either an approval or one of {', '.join(sorted(CONDITIONS))}"
            raise ValueError(msg)
        return self

    @property
    def condition(self) -> ConditionPart | None:
        """Return what is asked for in place of an approval, None for an approval."""
        return self.schedule or self.quota or self.external_check


class DenyPart(Part):
    """Why the request ends, for people and for programs."""

    reason: Reason
    code: Id = "denied"
    severity: Severity = "error"


class AmendPart(Part):
    """Which mutation runs in place of the one asked for."""

    type: Annotated[Id | None, Field(description="Another mutation; without it, the one asked for.")] = None
    payload: Annotated[
        dict[Id, Cel],
        Field(min_length=1, description="The fields and their values. Fields left out keep theirs, if the type stays."),
    ]
    reason: Reason | None = None


def _reasoned(given: object) -> object:
    return given if isinstance(given, dict | DenyPart) else {"reason": given}


_REASON_OR_MORE = {"anyOf": [{"type": "string", "minLength": 1}, DenyPart.model_json_schema()]}


class Allow(Part):
    """Nothing against it."""

    allow: Annotated[Reason | None, Field(description="Why.")]


class Deny(Part):
    """The request ends."""

    deny: Annotated[DenyPart, BeforeValidator(_reasoned), WithJsonSchema(_REASON_OR_MORE)]


class Require(Part):
    """The request goes on once these are met."""

    require: Annotated[Names, Field(description="Names under `requirements`.")]
    reason: Reason | None = None


class Amend(Part):
    """Another mutation runs."""

    amend: AmendPart


def _kind(given: Any) -> str | None:
    if isinstance(given, str):
        return "word"
    if isinstance(given, Part):
        return type(given).__name__.lower()
    known = ("allow", "deny", "require", "amend")
    return next((each for each in known if each in given), None) if isinstance(given, dict) else None


Action = Annotated[
    Annotated[Literal["allow"], Tag("word")]
    | Annotated[Allow, Tag("allow")]
    | Annotated[Deny, Tag("deny")]
    | Annotated[Require, Tag("require")]
    | Annotated[Amend, Tag("amend")],
    Discriminator(
        _kind,
        custom_error_type="action",
        custom_error_message="must be allow, or say what to deny, require or amend",
    ),
]
"""What a policy answers."""


def _condition(given: object) -> object:
    return str(given).lower() if isinstance(given, bool) else given


class PolicyPart(Part):
    """One policy."""

    name: Id
    description: Text | None = None
    applies_to: Annotated[
        Names | None,
        Field(description="Mutation types, or types of state, by name. Without it: every mutation."),
    ] = None
    when: Annotated[
        Cel, BeforeValidator(_condition), Field(description="Whether `then` or `otherwise` is the answer.")
    ] = "true"
    then: Action
    otherwise: Action = "allow"
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000, description="Higher ones are asked first.")] = 0
    version: Annotated[int, Field(ge=1)] = 1
    timeout: Duration | None = None


class GivenMutation(Part):
    """What is asked for."""

    type: Id
    version: Annotated[int, Field(ge=1)] = 1
    payload: dict[str, JsonValue] = Field(default_factory=dict)


class Expected(Part):
    """What has to come of it; what is left out may be anything."""

    decision: Literal["allow", "deny", "require", "amend"]
    requirements: Annotated[tuple[Id, ...] | None, Field(description="The names of all that is required.")] = None
    codes: Annotated[tuple[Id, ...] | None, Field(description="The codes of all denials.")] = None
    policies: Annotated[
        dict[Id, Literal["allow", "deny", "require", "amend", "silent"]],
        Field(description="What single policies answer; `silent` for one that does not apply."),
    ] = Field(default_factory=dict)
    payload: Annotated[dict[str, JsonValue] | None, Field(description="The payload after amendments.")] = None


class Case(Part):
    """A test: given this, expect that."""

    name: Id
    mutation: GivenMutation
    state: dict[str, JsonValue] = Field(default_factory=dict)
    after: Annotated[
        dict[str, JsonValue] | None,
        Field(description="The state after the mutation, for tests without an application. Left out: as before."),
    ] = None
    state_type: Annotated[Id, Field(description="For tests without an application.")] = "State"
    state_id: Id = "example"
    state_version: Annotated[int, Field(ge=0)] = 1
    actor: Annotated[
        str | dict[str, JsonValue], Field(description="As for `gov --as`: NAME, NAME:ROLE,group=G, or an object.")
    ] = "somebody"
    reason: Reason = "a test"
    intent: Intent | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    now: Annotated[Moment | None, Field(description="The time of the evaluation.")] = None
    expect: Expected


class PolicyFile(Part):
    """Policies, the requirements that they name, and tests of them."""

    version: Annotated[Literal[1], Field(description="Of this shape.")]
    requirements: dict[Id, RequirementPart] = Field(default_factory=dict)
    policies: Annotated[tuple[PolicyPart, ...], Field(min_length=1)]
    tests: tuple[Case, ...] = ()


class TestFile(Part):
    """Tests of policies that stand in other files."""

    __test__ = False

    version: Literal[1]
    files: Annotated[tuple[str, ...], Field(min_length=1, description="Policy files, as seen from this one.")]
    tests: Annotated[tuple[Case, ...], Field(min_length=1)]


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of policy files, for editors."""
    schema = PolicyFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Governance policies"}
