"""Directories that answer as they are told."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from governance.directory import Kind


class Scripted:
    """Answers as told, and counts how often it was asked."""

    def __init__(self, answer: Callable[[Kind, str], Awaitable[Any]]) -> None:
        self.answer = answer
        self.asked: list[tuple[Kind, str]] = []

    async def members(self, kind: Kind, name: str) -> frozenset[str]:
        self.asked.append((kind, name))
        found: frozenset[str] = await self.answer(kind, name)
        return found


def saying(*people: str) -> Scripted:
    async def answer(kind: Kind, name: str) -> frozenset[str]:
        return frozenset(people)

    return Scripted(answer)


def failing() -> Scripted:
    async def answer(kind: Kind, name: str) -> frozenset[str]:
        msg = "ldap is away"
        raise OSError(msg)

    return Scripted(answer)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)
