"""Directories: who holds a role or belongs to a group now, asked when it matters instead of believed from the actor."""

import asyncio
from collections.abc import Iterable, Mapping
from concurrent.futures import CancelledError
from typing import Any, Literal, Protocol

from governance.consulting import LoopThread
from governance.domain.actors import Actor
from governance.domain.errors import ConfigurationError, DirectoryUnavailableError
from governance.domain.requirements import ApprovalRequirement, Approver

Kind = Literal["role", "group"]
Members = Mapping[tuple[Kind, str], frozenset[str]]
"""What a directory has answered: for a kind and a name, the ids of the people."""

DEFAULT_TIMEOUT_SECONDS = 2.0


class Directory(Protocol):
    """Knows who is in which role or group; what it does not know has nobody in it."""

    async def members(self, kind: Kind, name: str) -> frozenset[str]:
        """Return the ids of everybody in the role or group now, none for one that does not exist."""
        ...


def entitled_actor(actor: Actor, approvers: Iterable[Approver], members: Members) -> Actor:
    """Return the actor with those roles and groups, of the ones asked for, that the directory confirms, and no others.

    What counts is the person whose decision it is (`actor.person`); roles that the actor came with do not.
    """
    confirmed: dict[Kind, dict[str, None]] = {"role": {}, "group": {}}
    for kind, name in _asked(approvers):
        if actor.person in members.get((kind, name), frozenset()):
            confirmed[kind][name] = None
    return actor.model_copy(update={"roles": tuple(confirmed["role"]), "groups": tuple(confirmed["group"])})


def people_for(requirement: ApprovalRequirement, members: Members, requester: Actor) -> frozenset[str]:
    """Return everybody who could fill the requirement: named, in a role or in a group, but not behind the request."""
    named = {each.id for each in requirement.approvers if each.kind == "actor"}
    found = (members.get(asked, frozenset()) for asked in _asked(requirement.approvers))
    return frozenset(named.union(*found)) - requester.people


def check_satisfiable(requirement: ApprovalRequirement, members: Members, requester: Actor) -> None:
    """Refuse a requirement that asks for more people than there are: ConfigurationError names it and both numbers."""
    people = people_for(requirement, members, requester)
    if len(people) >= requirement.quorum:
        return
    asked = ", ".join(map(str, requirement.approvers))
    what = f"requirement {requirement.name}" if requirement.name else "the approval requirement"
    msg = (
        f"{what} asks for {requirement.quorum} of {asked}, and the directory knows {len(people)} who could decide: "
        f"the requester {requester.id} may not"
    )
    ids = {"requirement": requirement.name, "quorum": requirement.quorum, "people": len(people)}
    raise ConfigurationError(msg, **ids, requester=requester.id)


class DirectoryLookup:
    """Asks a directory from plain code: all names of a requirement at once, within a time budget in seconds."""

    def __init__(self, directory: Directory, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> None:
        self._directory = directory
        self._timeout_seconds = timeout_seconds
        self._loop = LoopThread()

    def actor(self, actor: Actor, approvers: Iterable[Approver]) -> Actor:
        """Return the actor as the directory knows them; DirectoryUnavailableError when it does not answer."""
        asked = tuple(approvers)
        return entitled_actor(actor, asked, self.members(asked))

    def check(self, requirement: ApprovalRequirement, requester: Actor) -> None:
        """Refuse a requirement that nobody can fill: ConfigurationError, or DirectoryUnavailableError."""
        check_satisfiable(requirement, self.members(requirement.approvers), requester)

    def people(self, requirement: ApprovalRequirement, requester: Actor) -> frozenset[str]:
        """Return everybody who could fill the requirement now; DirectoryUnavailableError when that is not known."""
        return people_for(requirement, self.members(requirement.approvers), requester)

    def members(self, approvers: Iterable[Approver]) -> Members:
        """Return what the directory says of the roles and groups among the approvers; asks nothing when there are none.

        Raises DirectoryUnavailableError for an error, an answer that is no set of ids, and when time is up.
        """
        asked = _asked(approvers)
        if not asked:
            return {}
        future = self._loop.start(self._ask(asked))
        try:
            return future.result(self._timeout_seconds)
        except (TimeoutError, CancelledError):
            msg = f"the directory did not answer within {self._timeout_seconds:g} s"
            raise DirectoryUnavailableError(msg, asked=_told(asked)) from None
        except DirectoryUnavailableError:
            raise
        except Exception as error:
            msg = f"the directory could not be asked: {type(error).__name__}: {error}"
            raise DirectoryUnavailableError(msg, asked=_told(asked)) from error
        finally:
            future.cancel()

    def close(self) -> None:
        """End the thread on which the directory is asked."""
        self._loop.close()

    async def _ask(self, asked: tuple[tuple[Kind, str], ...]) -> Members:
        async with asyncio.timeout(self._timeout_seconds):
            answers = await asyncio.gather(*(self._directory.members(kind, name) for kind, name in asked))
        return {key: _people(key, answer) for key, answer in zip(asked, answers, strict=True)}


def _people(key: tuple[Kind, str], answer: Any) -> frozenset[str]:
    if isinstance(answer, frozenset | set) and all(isinstance(each, str) for each in answer):
        return frozenset(answer)
    msg = f"the directory answered {type(answer).__name__} for {' '.join(key)}, not a set of ids"
    raise DirectoryUnavailableError(msg, asked=_told((key,)))


def _asked(approvers: Iterable[Approver]) -> tuple[tuple[Kind, str], ...]:
    return tuple(dict.fromkeys((each.kind, each.id) for each in approvers if each.kind != "actor"))


def _told(asked: Iterable[tuple[Kind, str]]) -> str:
    return ", ".join(f"{kind} {name}" for kind, name in asked)
