"""Composed policies: several that answer as one, by rules that never let an allow hide a deny."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import JsonValue

from governance.domain.errors import ConfigurationError, PolicyConflictError
from governance.domain.policies import SEVERITIES, Answer, AnyMutation, Context, Policy, ReadState, in_order

Named = tuple[str, Answer]


def all_of(name: str, *policies: Policy, priority: int = 0, version: int = 1, timeout: float | None = None) -> Policy:
    """Return the policy that denies if any of these does, and else asks for all that they ask for together."""
    return _Composition(_all_of, name, policies, priority=priority, version=version, timeout=timeout)


def any_of(name: str, *policies: Policy, priority: int = 0, version: int = 1, timeout: float | None = None) -> Policy:
    """Return the policy that denies only if all of these do; of those that do not deny, it takes over everything."""
    return _Composition(_any_of, name, policies, priority=priority, version=version, timeout=timeout)


def first_decisive(
    name: str, *policies: Policy, priority: int = 0, version: int = 1, timeout: float | None = None
) -> Policy:
    """Return the policy that answers what the first of these answers that does more than allow, by priority."""
    return _Composition(_first_decisive, name, policies, priority=priority, version=version, timeout=timeout)


class _Composition(Policy):
    """Consults its members, in order, and merges what they answer."""

    def __init__(
        self,
        merge: Callable[[str, Sequence[Named]], Answer],
        name: str,
        members: Iterable[Policy],
        *,
        priority: int,
        version: int,
        timeout: float | None,
    ) -> None:
        super().__init__(_never, name=name, priority=priority, version=version, timeout=timeout)
        self.members = in_order(members)
        self._merge = merge
        self.is_async = any(each.is_async for each in self.members)
        self.__doc__ = merge.__doc__
        if not self.members or any(not isinstance(each, Policy) for each in self.members):
            msg = f"{name} composes policies, and needs at least one"
            raise ConfigurationError(msg, policy=name)

    def fingerprint(self) -> Any:
        """Return what identifies this composition: its members' fingerprints too."""
        return [*super().fingerprint(), self._merge.__name__, [each.fingerprint() for each in self.members]]

    async def consult(self, candidates: Sequence[AnyMutation], read: ReadState, context: Context) -> Answer | None:
        """Return the merged answer of the members that apply, None when none does."""
        answers: list[Named] = []
        for member in self.members:
            answer = await member.consult(candidates, read, context)
            if answer is not None:
                answers.append((member.name, answer))
        return self._merge(self.name, answers) if answers else None


def _never(mutation: Any, state: Any, context: Context) -> Answer:
    msg = "a composition is consulted through its members"
    raise ConfigurationError(msg)


def _all_of(name: str, answers: Sequence[Named]) -> Answer:
    """All of them: any deny denies."""
    denied = [each for each in answers if each[1].decision == "deny"]
    return _merged(name, answers, "deny" if denied else None, denied or answers)


def _any_of(name: str, answers: Sequence[Named]) -> Answer:
    """Any of them: denied only when all deny."""
    passing = [each for each in answers if each[1].decision != "deny"]
    return _merged(name, passing or answers, None if passing else "deny", passing or answers)


def _first_decisive(name: str, answers: Sequence[Named]) -> Answer:
    """The first of them that does more than allow."""
    decisive = next((each for each in answers if each[1].decision != "allow"), None)
    chosen = [decisive] if decisive else list(answers)
    return _merged(name, chosen, "deny" if decisive and decisive[1].decision == "deny" else None, chosen)


def _merged(name: str, merged: Sequence[Named], denied: str | None, telling: Sequence[Named]) -> Answer:
    mutation = None if denied else _one_mutation(name, merged)
    requirements = tuple(dict.fromkeys(each for _, answer in merged for each in answer.requirements))
    passing = "amend" if mutation is not None else "require" if requirements else "allow"
    reasons = [f"{member}: {answer.reason}" for member, answer in telling if answer.reason]
    return Answer(
        decision="deny" if denied else passing,  # type: ignore[arg-type]
        reason="; ".join(reasons) or None,
        code=next((answer.code for _, answer in telling if answer.code), None),
        severity=max((answer.severity for _, answer in merged), key=SEVERITIES.index),
        requirements=() if denied else requirements,
        mutation=mutation,
        metadata=_one_metadata(name, merged),
    )


def _one_mutation(name: str, answers: Sequence[Named]) -> AnyMutation | None:
    chosen: tuple[str, AnyMutation] | None = None
    for member, answer in answers:
        if answer.mutation is None:
            continue
        if chosen is not None and chosen[1] != answer.mutation:
            raise _conflict(name, "mutation", chosen[0], member)
        chosen = chosen or (member, answer.mutation)
    return chosen[1] if chosen else None


def _one_metadata(name: str, answers: Sequence[Named]) -> dict[str, JsonValue]:
    merged: dict[str, tuple[str, JsonValue]] = {}
    for member, answer in answers:
        for key, value in answer.metadata.items():
            owner, known = merged.setdefault(key, (member, value))
            if known != value:
                raise _conflict(name, f"metadata:{key}", owner, member)
    return {key: value for key, (_, value) in merged.items()}


def _conflict(name: str, key: str, one: str, other: str) -> PolicyConflictError:
    msg = f"{name}: policies {one} and {other} want different values of {key}"
    return PolicyConflictError(msg, composition=name, key=key, policies=f"{one}, {other}")
