"""The directory says who may decide; what actors say of themselves does not count, and silence is nobody."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import Actor, ConfigurationError, approval, group, role
from governance.directory import DirectoryLookup, Kind, check_satisfiable, entitled_actor, people_for
from governance.directory_static import StaticDirectory
from governance.domain.errors import DirectoryUnavailableError
from tests.directories import Scripted, failing, run, saying

GRACE = Actor(id="grace")
LEADS = approval(role="lead", quorum=2, name="leads")


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
