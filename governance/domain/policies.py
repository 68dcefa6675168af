"""Policies: code that looks at a mutation, the state and the context, and answers allow, deny or require."""

import inspect
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from governance.domain.actors import Actor
from governance.domain.changes import ChangeSet
from governance.domain.digest import digest
from governance.domain.errors import ConfigurationError
from governance.domain.events import CompensationLink, Verdict
from governance.domain.intent import Intent
from governance.domain.mutations import Mutation
from governance.domain.requirements import Requirement
from governance.domain.values import Value, clean

Severity = Literal["info", "warning", "error", "critical"]
AnyMutation = Mutation[Any]


class Answer(Value):
    """What a policy answers; made by `allow()`, `deny(...)` or `require(...)`."""

    decision: Literal["allow", "deny", "require"]
    reason: str | None = None
    code: str | None = None
    severity: Severity = "info"
    requirements: tuple[Requirement, ...] = ()


class Context(BaseModel):
    """What a policy may look at besides mutation and state: who asks, why, when, and what would change."""

    model_config = ConfigDict(frozen=True)

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


def allow(reason: str | None = None) -> Answer:
    """Return the answer of a policy that has nothing against it."""
    return Answer(decision="allow", reason=reason)


def deny(reason: str, *, code: str = "denied", severity: Severity = "error") -> Answer:
    """Return the answer that ends the request, with a reason for people and a code for programs."""
    return Answer(decision="deny", reason=reason, code=code, severity=severity)


def require(*requirements: Requirement, reason: str | None = None) -> Answer:
    """Return the answer that lets the request go on once these hold; ConfigurationError when there are none."""
    if not requirements or not all(isinstance(each, Requirement) for each in requirements):
        msg = "require(...) needs at least one requirement, such as approval(role=...)"
        raise ConfigurationError(msg)
    return Answer(decision="require", reason=reason, requirements=requirements)


PolicyFunction = Callable[[Any, Any, Context], Answer]


class Policy:
    """A named policy: what it applies to, and the function that answers."""

    def __init__(
        self,
        function: PolicyFunction,
        targets: tuple[type, ...] = (),
        *,
        name: str | None = None,
        priority: int = 0,
        version: int = 1,
    ) -> None:
        self.function = function
        self.targets = targets
        self.name: str = name or str(getattr(function, "__name__", type(function).__name__))
        self.priority = priority
        self.version = version
        self.__doc__ = function.__doc__
        if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):
            msg = f"policy {self.name} is async; policies are plain functions"
            raise ConfigurationError(msg, policy=self.name)

    def __call__(self, mutation: AnyMutation, state: Any, context: Context) -> Answer:
        """Return the policy's answer, as a plain call for tests of the policy itself."""
        return self.function(mutation, state, context)

    def subject(self, candidates: Iterable[AnyMutation], model: type | None) -> AnyMutation | None:
        """Return the mutation that the policy is to look at, None when it does not apply to any candidate."""
        for mutation in candidates:
            if not self.targets or any(isinstance(mutation, target) or target is model for target in self.targets):
                return mutation
        return None

    def verdict(self, mutation: AnyMutation, state: Any, context: Context) -> Verdict:
        """Return what the policy says; an error or a nonsense answer is a deny with its own code, never an allow."""
        try:
            return self._read(self.function(mutation, state, context))
        except Exception as error:
            return self._denied("policy-error", f"it raised {type(error).__name__}: {error}")

    def _read(self, answer: object) -> Verdict:
        if not isinstance(answer, Answer):
            if inspect.iscoroutine(answer):
                answer.close()
            return self._denied("policy-nonsense", f"it answered {type(answer).__name__}, not allow, deny or require")
        return Verdict(
            policy=self.name,
            decision=answer.decision,
            reason=clean(answer.reason) if answer.reason else None,
            code=clean(answer.code) if answer.code else None,
            severity=answer.severity,
            requirements=answer.requirements,
        )

    def _denied(self, code: str, reason: str) -> Verdict:
        return Verdict(policy=self.name, decision="deny", code=code, reason=clean(reason), severity="critical")


def policy(*targets: type, name: str | None = None, priority: int = 0, version: int = 1) -> Callable[[Any], Policy]:
    """Make a policy of a function `(mutation, state, context) -> Answer`, or of a class whose instances are called so.

    It applies to the mutation classes and state models named, or to every mutation when none is. Policies are consulted
    in order of `priority` (higher first), then of `name`; all of them are, whatever the others say. Raise `version`
    when the rule changes: it is part of the policy-set digest that every evaluation records.
    """
    if any(not isinstance(target, type) for target in targets):
        msg = "write @policy() or @policy(SomeMutation): its arguments are mutation classes and state models"
        raise ConfigurationError(msg)

    def decorate(rule: Any) -> Policy:
        function = rule() if isinstance(rule, type) else rule
        return Policy(function, targets, name=name or rule.__name__, priority=priority, version=version)

    return decorate


class PolicySet:
    """The policies in force, in the order in which they are consulted, and the digest that names this set."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = tuple(sorted(map(_checked, policies), key=lambda each: (-each.priority, each.name)))
        names = [each.name for each in self.policies]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            msg = f"two policies are named {twice[0]!r}; give one of them another name"
            raise ConfigurationError(msg, policy=twice[0])
        self.digest = digest([[each.name, each.version, each.priority] for each in self.policies])


def _checked(candidate: Policy) -> Policy:
    if not isinstance(candidate, Policy):
        msg = f"{candidate!r} is not a policy: decorate it with @policy(...)"
        raise ConfigurationError(msg, policy=candidate)
    return candidate
