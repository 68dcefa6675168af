"""Policies: code that looks at a mutation, the state and the context, and answers allow, deny, require or amend."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError

from governance.domain.actors import Actor
from governance.domain.changes import ChangeSet
from governance.domain.digest import digest
from governance.domain.errors import ConfigurationError
from governance.domain.intent import Intent
from governance.domain.json_limits import copied, input_error
from governance.domain.mutations import Mutation
from governance.domain.requirements import Requirement
from governance.domain.terms import CompensationLink
from governance.domain.values import Id, Value

Severity = Literal["info", "warning", "error", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error", "critical")
AnyMutation = Mutation[Any]
_NAME: TypeAdapter[str] = TypeAdapter(Id)


class Answer(BaseModel):
    """What a policy answers; made by `allow()`, `deny(...)`, `require(...)` or `amend(...)`."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    decision: Literal["allow", "deny", "require", "amend"]
    reason: str | None = None
    code: str | None = None
    severity: Severity = "info"
    requirements: tuple[Requirement, ...] = ()
    mutation: Any = None
    metadata: dict[str, JsonValue] = {}


class Context(Value):
    """What a policy may look at besides mutation and state: who asks, why, when, and what would change."""

    model_config = ConfigDict(strict=False, extra="ignore")

    request_id: str
    state_id: str
    state_version: int
    actor: Actor
    reason: str
    intent: Intent
    now: datetime
    round: int
    change_set: ChangeSet
    metadata: dict[str, JsonValue]
    compensates: CompensationLink | None = None

    def own_copy(self) -> "Context":
        """Return a context of which nothing that can be changed in place is shared with anybody."""
        intent = self.intent.model_copy(update={"metadata": copied(self.intent.metadata)})
        return self.model_copy(update={"metadata": copied(self.metadata), "intent": intent})


def allow(reason: str | None = None, *, metadata: dict[str, Any] | None = None) -> Answer:
    """Return the answer of a policy that has nothing against it."""
    return Answer(decision="allow", reason=reason, metadata=metadata or {})


def deny(
    reason: str, *, code: str = "denied", severity: Severity = "error", metadata: dict[str, Any] | None = None
) -> Answer:
    """Return the answer that ends the request, with a reason for people and a code for programs."""
    return Answer(decision="deny", reason=reason, code=code, severity=severity, metadata=metadata or {})


def require(*requirements: Requirement, reason: str | None = None, metadata: dict[str, Any] | None = None) -> Answer:
    """Return the answer that lets the request go on once these hold; ConfigurationError when there are none."""
    if not requirements or not all(isinstance(each, Requirement) for each in requirements):
        msg = "require(...) needs at least one requirement, such as approval(role=...)"
        raise ConfigurationError(msg)
    return Answer(decision="require", reason=reason, requirements=requirements, metadata=metadata or {})


def amend(mutation: AnyMutation, *, reason: str | None = None, metadata: dict[str, Any] | None = None) -> Answer:
    """Return the answer that lets another mutation of the same state run in place of the one asked for.

    What is approved and what runs is then the amended mutation; every policy is asked about it again.
    """
    if not isinstance(mutation, Mutation):
        msg = f"amend(...) takes a mutation, not {type(mutation).__name__}"
        raise ConfigurationError(msg)
    return Answer(decision="amend", reason=reason, mutation=mutation, metadata=metadata or {})


Rule = Callable[[Any, Any, Context], Answer | Awaitable[Answer]]
ReadState = Callable[[], Any]


class Policy:
    """A named policy: what it applies to, and the rule that answers, as a plain or an async function."""

    def __init__(
        self,
        rule: Rule,
        targets: tuple[type, ...] = (),
        *,
        name: str | None = None,
        priority: int = 0,
        version: int = 1,
        timeout: float | None = None,
    ) -> None:
        self.rule = rule
        self.targets = targets
        self.name = _checked_name(name or str(getattr(rule, "__name__", type(rule).__name__)))
        self.priority = priority
        self.version = version
        self.timeout = timeout
        self.__doc__ = rule.__doc__
        self.is_async = inspect.iscoroutinefunction(rule) or inspect.iscoroutinefunction(type(rule).__call__)

    def __call__(self, mutation: AnyMutation, state: Any, context: Context) -> Any:
        """Return what the rule answers, as a plain call for tests of the rule itself."""
        return self.rule(mutation, state, context)

    def fingerprint(self) -> Any:
        """Return what identifies this policy within the digest of its set."""
        return [self.name, self.version, self.priority]

    async def consult(self, candidates: Sequence[AnyMutation], read: ReadState, context: Context) -> Answer | None:
        """Return the answer about the first candidate that the policy applies to, None when it applies to none.

        Raises what the rule raises, and TypeError for an answer that is none; whoever asks turns both into a denial.
        """
        state = read()
        for mutation in candidates:
            if self._applies(mutation, type(state)):
                answer = self.rule(mutation, state, context.own_copy())
                return _answer(await answer if inspect.isawaitable(answer) else answer)
        return None

    def _applies(self, mutation: AnyMutation, model: type) -> bool:
        return not self.targets or any(isinstance(mutation, each) or each is model for each in self.targets)


def _answer(answer: object) -> Answer:
    if not isinstance(answer, Answer):
        msg = f"it answered {type(answer).__name__}, not allow, deny, require or amend"
        raise TypeError(msg)
    if (answer.decision == "require" and not answer.requirements) or (
        answer.decision == "amend" and answer.mutation is None
    ):
        msg = f"it answered {answer.decision}, but not what"
        raise TypeError(msg)
    return answer


def policy(
    *targets: type,
    name: str | None = None,
    priority: int = 0,
    version: int = 1,
    timeout: float | None = None,
) -> Callable[[Any], Policy]:
    """Make a policy of a function `(mutation, state, context) -> Answer`, or of a class whose instances are called so.

    It applies to the mutation classes and state models named, or to every mutation when none is. Policies are consulted
    in order of `priority` (higher first), then of `name`; all of them are, whatever the others say. Raise `version`
    when the rule changes: it is part of the policy-set digest that every evaluation records. `timeout` is in seconds.
    """
    if any(not isinstance(target, type) for target in targets):
        msg = "write @policy() or @policy(SomeMutation): its arguments are mutation classes and state models"
        raise ConfigurationError(msg)

    def decorate(rule: Any) -> Policy:
        function = rule() if isinstance(rule, type) else rule
        chosen = name or rule.__name__
        return Policy(function, targets, name=chosen, priority=priority, version=version, timeout=timeout)

    return decorate


class PolicySet:
    """The policies in force, in the order in which they are consulted, and the digest that names this set."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = in_order(map(_checked, policies))
        names = [each.name for each in self.policies]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            msg = f"two policies are named {twice[0]!r}; give one of them another name"
            raise ConfigurationError(msg, policy=twice[0])
        self.digest = digest([each.fingerprint() for each in self.policies])
        self.is_async = any(each.is_async for each in self.policies)

    def extended(self, policies: Iterable[Policy]) -> "PolicySet":
        """Return the set with more policies in it."""
        return PolicySet((*self.policies, *policies))


def in_order(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    """Return policies in the order of consultation: higher priority first, then by name; never by registration."""
    return tuple(sorted(policies, key=lambda each: (-each.priority, each.name)))


def _checked(candidate: Policy) -> Policy:
    if not isinstance(candidate, Policy):
        msg = f"{candidate!r} is not a policy: decorate it with @policy(...)"
        raise ConfigurationError(msg, policy=candidate)
    return candidate


def _checked_name(name: str) -> str:
    try:
        return _NAME.validate_python(name)
    except ValidationError as error:
        raise ConfigurationError(input_error(error, "policy name").message, policy=name) from None
