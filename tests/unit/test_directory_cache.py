"""What a directory said is kept for a while: asked once for many, and never believed beyond its time."""

import asyncio

import pytest

from governance import Actor, ConfigurationError, role
from governance.directory import DirectoryLookup, Kind
from governance.directory_cache import CachingDirectory
from governance.domain.errors import DirectoryUnavailableError
from tests.directories import Scripted, run, saying


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_answer_is_kept_for_its_time_and_never_longer() -> None:
    clock, inner = Clock(), saying("ada")
    directory = CachingDirectory(inner, ttl_seconds=10, clock=clock)

    async def asking() -> list[int]:
        counts = []
        for moment in (0, 9.9, 10, 19.9, 20):
            clock.now = moment
            assert await directory.members("role", "lead") == {"ada"}
            counts.append(len(inner.asked))
        return counts

    assert run(asking()) == [1, 1, 2, 2, 3]


def test_that_nobody_is_in_a_role_is_kept_too() -> None:
    inner = saying()
    directory = CachingDirectory(inner, ttl_seconds=10, clock=Clock())

    async def asking() -> None:
        for _ in range(3):
            assert await directory.members("role", "lead") == frozenset()

    run(asking())
    assert len(inner.asked) == 1


def test_many_who_ask_at_once_are_one_question() -> None:
    async def slow(kind: Kind, name: str) -> frozenset[str]:
        await asyncio.sleep(0.01)
        return frozenset({name})

    inner = Scripted(slow)
    directory = CachingDirectory(inner, ttl_seconds=10)

    async def asking() -> list[frozenset[str]]:
        return await asyncio.gather(*(directory.members("role", name) for name in "ab" * 50))

    assert run(asking()) == [frozenset({name}) for name in "ab" * 50]
    assert len(inner.asked) == 2


def test_an_error_is_neither_kept_nor_covered_up_by_an_old_answer() -> None:
    clock, answers = Clock(), iter([frozenset({"ada"}), None, frozenset({"bob"})])

    async def answer(kind: Kind, name: str) -> frozenset[str]:
        found = next(answers)
        if found is None:
            raise OSError
        return found

    directory = CachingDirectory(Scripted(answer), ttl_seconds=10, clock=clock)

    async def asking() -> None:
        assert await directory.members("role", "lead") == {"ada"}
        clock.now = 10
        with pytest.raises(OSError, match=r"^$"):
            await directory.members("role", "lead")
        assert await directory.members("role", "lead") == {"bob"}

    run(asking())


def test_who_gives_up_does_not_take_the_others_answer_away() -> None:
    go = asyncio.Event()

    async def wait(kind: Kind, name: str) -> frozenset[str]:
        await go.wait()
        return frozenset({"ada"})

    directory = CachingDirectory(Scripted(wait), ttl_seconds=10)

    async def asking() -> frozenset[str]:
        hasty = asyncio.create_task(directory.members("role", "lead"))
        patient = asyncio.create_task(directory.members("role", "lead"))
        await asyncio.sleep(0)
        hasty.cancel()
        await asyncio.sleep(0)
        go.set()
        return await patient

    assert run(asking()) == {"ada"}


def test_a_question_that_everybody_gave_up_on_is_asked_anew() -> None:
    async def hang_once(kind: Kind, name: str) -> frozenset[str]:
        if len(inner.asked) == 1:
            await asyncio.sleep(60)
        return frozenset({"ada"})

    inner = Scripted(hang_once)
    lookup = DirectoryLookup(CachingDirectory(inner, ttl_seconds=10), timeout_seconds=0.1)

    with pytest.raises(DirectoryUnavailableError):
        lookup.members((role("lead"),))

    assert lookup.actor(Actor(id="ada"), (role("lead"),)).roles == ("lead",)
    lookup.close()


def test_what_is_forgotten_is_asked_again() -> None:
    inner = saying("ada")
    directory = CachingDirectory(inner, ttl_seconds=10, clock=Clock())

    run(directory.members("role", "lead"))
    directory.forget()
    run(directory.members("role", "lead"))

    assert len(inner.asked) == 2


@pytest.mark.parametrize("ttl", [-1, float("nan"), float("inf")])
def test_the_time_to_keep_is_a_sensible_number(ttl: float) -> None:
    with pytest.raises(ConfigurationError):
        CachingDirectory(saying(), ttl_seconds=ttl)
