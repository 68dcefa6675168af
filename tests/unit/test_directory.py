"""The directory says who may decide; what actors say of themselves does not count, and silence is nobody."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import Actor, ConfigurationError, approval, group, role
from governance.directory import DirectoryLookup, Kind, check_satisfiable, entitled_actor, people_for
from governance.directory_cache import CachingDirectory
from governance.directory_static import StaticDirectory
from governance.domain.errors import DirectoryUnavailableError

GRACE = Actor(id="grace")
LEADS = approval(role="lead", quorum=2, name="leads")


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


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


# Who counts


def test_roles_that_actors_give_themselves_do_not_count() -> None:
    actor = Actor(id="mallory", roles=("lead", "admin"), groups=("security",))

    known = entitled_actor(actor, (role("lead"), group("security")), {("role", "lead"): frozenset({"alan"})})

    assert (known.roles, known.groups) == ((), ())


def test_what_the_directory_confirms_counts_for_the_person_and_not_for_who_acts_for_them() -> None:
    members = {("role", "lead"): frozenset({"alan"}), ("group", "ops"): frozenset({"bot"})}
    actor = Actor(id="bot", on_behalf_of="alan")

    known = entitled_actor(actor, (role("lead"), group("ops")), members)  # type: ignore[arg-type]

    assert (known.roles, known.groups) == (("lead",), ())


def test_only_what_is_asked_for_is_confirmed() -> None:
    members = {("role", "lead"): frozenset({"alan"}), ("role", "admin"): frozenset({"alan"})}

    assert entitled_actor(Actor(id="alan"), (role("lead"),), members).roles == ("lead",)  # type: ignore[arg-type]


def test_the_requester_is_nobody_who_could_fill_a_requirement() -> None:
    asked = approval(role="lead", actor="ada", group="ops")
    members = {("role", "lead"): frozenset({"grace", "alan"}), ("group", "ops"): frozenset({"tony", "boss"})}
    requester = Actor(id="grace", on_behalf_of="boss")

    assert people_for(asked, members, requester) == {"alan", "ada", "tony"}  # type: ignore[arg-type]


def test_too_few_people_are_a_configuration_error_that_counts_them() -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_satisfiable(LEADS, {("role", "lead"): frozenset({"alan", "grace"})}, GRACE)

    assert refused.value.ids["requirement"] == "leads"
    assert (refused.value.ids["quorum"], refused.value.ids["people"]) == ("2", "1")


def test_enough_people_are_enough() -> None:
    check_satisfiable(LEADS, {("role", "lead"): frozenset({"alan", "edsger"})}, GRACE)


NAMES = st.sampled_from(["ada", "alan", "grace", "tony"])


@given(
    members=st.dictionaries(
        st.tuples(st.sampled_from(["role", "group"]), st.sampled_from(["x", "y"])), st.frozensets(NAMES)
    ),
    roles=st.frozensets(st.sampled_from(["x", "y"])),
    who=NAMES,
)
def test_nobody_is_ever_entitled_but_by_the_directory(members: Any, roles: frozenset[str], who: str) -> None:
    approvers = (role("x"), role("y"), group("x"))

    known = entitled_actor(Actor(id=who, roles=tuple(roles), groups=tuple(roles)), approvers, members)

    assert set(known.roles) == {name for name in ("x", "y") if who in members.get(("role", name), ())}
    assert set(known.groups) == {name for name in ("x",) if who in members.get(("group", name), ())}


# Asking from plain code


def test_lookup_asks_each_name_once_and_answers_plain_code() -> None:
    directory = saying("alan")
    lookup = DirectoryLookup(directory)

    known = lookup.actor(Actor(id="alan"), (role("lead"), role("lead"), group("ops")))

    assert (known.roles, known.groups) == (("lead",), ("ops",))
    assert directory.asked == [("role", "lead"), ("group", "ops")]
    lookup.close()


def test_lookup_asks_nothing_about_named_people() -> None:
    directory = failing()
    lookup = DirectoryLookup(directory)

    assert lookup.people(approval(actor=("ada", "grace")), GRACE) == {"ada"}
    assert directory.asked == []
    lookup.close()


def test_a_directory_that_fails_is_told_as_such() -> None:
    lookup = DirectoryLookup(failing())

    with pytest.raises(DirectoryUnavailableError, match="ldap is away"):
        lookup.actor(GRACE, (role("lead"),))
    lookup.close()


def test_a_directory_that_does_not_answer_in_time_is_unavailable() -> None:
    async def sleep(kind: Kind, name: str) -> frozenset[str]:
        await asyncio.sleep(60)
        return frozenset()

    lookup = DirectoryLookup(Scripted(sleep), timeout_seconds=0.05)
    begun = time.monotonic()

    with pytest.raises(DirectoryUnavailableError, match=r"0\.05 s"):
        lookup.check(LEADS, GRACE)

    assert time.monotonic() - begun < 5
    lookup.close()


@pytest.mark.parametrize("nonsense", [None, "alan", ["alan"], {"alan": 1}, frozenset({1})])
def test_an_answer_that_is_no_set_of_ids_is_no_answer(nonsense: Any) -> None:
    async def answer(kind: Kind, name: str) -> Any:
        return nonsense

    lookup = DirectoryLookup(Scripted(answer))

    with pytest.raises(DirectoryUnavailableError, match="not a set of ids"):
        lookup.members((role("lead"),))
    lookup.close()


# Written down


def test_a_static_directory_knows_what_it_was_told() -> None:
    directory = StaticDirectory(roles={"lead": ["ada", "ada"]}, groups={"ops": {"tony"}})

    assert run(directory.members("role", "lead")) == {"ada"}
    assert run(directory.members("group", "ops")) == {"tony"}
    assert run(directory.members("role", "ops")) == frozenset()


def test_one_text_is_not_a_list_of_people() -> None:
    with pytest.raises(ConfigurationError, match=r"roles\.lead"):
        StaticDirectory(roles={"lead": "ada"})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("people.toml", '[roles]\nlead = ["ada"]\n[groups]\nops = []\n'),
        ("people.yaml", "roles:\n  lead: [ada]\n"),
        ("people.json", '{"roles": {"lead": ["ada"]}}'),
    ],
)
def test_a_file_says_the_same_in_every_notation(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    assert run(StaticDirectory.from_file(tmp_path / name).members("role", "lead")) == {"ada"}


def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "people.toml"
    file.write_text('[roles]\nlead = ["ada"]\n')
    directory = StaticDirectory.from_file(file)

    file.write_text('[roles]\nlead = ["bob"]\n')
    os.utime(file, ns=(1, 1))

    assert run(directory.members("role", "lead")) == {"bob"}


@pytest.mark.parametrize("text", ["roles = 5", "[roles]\nlead = 'ada'", "nonsense", "[rolls]\nx = []"])
def test_what_a_broken_file_said_before_is_not_believed(tmp_path: Path, text: str) -> None:
    file = tmp_path / "people.toml"
    file.write_text('[roles]\nlead = ["ada"]\n')
    directory = StaticDirectory.from_file(file)

    file.write_text(text)
    os.utime(file, ns=(1, 1))

    for _ in range(2):
        with pytest.raises(DirectoryUnavailableError, match=r"people\.toml"):
            run(directory.members("role", "lead"))
    with pytest.raises(ConfigurationError, match=r"people\.toml"):
        StaticDirectory.from_file(file)


def test_a_file_that_is_gone_makes_the_directory_unavailable(tmp_path: Path) -> None:
    file = tmp_path / "people.toml"
    file.write_text("")
    directory = StaticDirectory.from_file(file)
    file.unlink()

    with pytest.raises(DirectoryUnavailableError):
        run(directory.members("role", "lead"))
    with pytest.raises(ConfigurationError):
        StaticDirectory.from_file(file)


# Kept for a while


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
