"""`--app`: how the user's mutations and policies are found, and what is said when they are not."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import gov

MODULE = """
from pydantic import BaseModel
import governance
from governance import App, Mutation, allow, approval, policy, require

class Box(BaseModel):
    items: tuple[str, ...] = ()

class Put(Mutation[Box]):
    item: str
    def apply(self, state):
        return Box(items=(*state.items, self.item))

@policy(Put)
def all_is_well(mutation, state, context):
    return allow()

app = App(mutations=[Put], policies=[all_is_well])

@policy(Put)
def a_lead_agrees(mutation, state, context):
    return require(approval(role="lead"))

class People:
    async def members(self, kind, name):
        return frozenset({"alan"}) if (kind, name) == ("role", "lead") else frozenset()

with_directory = App(mutations=[Put], policies=[a_lead_agrees], directory=People())
as_mapping = {"mutations": [Put]}
mutations, policies = [Put], [all_is_well]

def make():
    return app

def fail():
    raise ValueError("out of \\x1b[31mpaint")

class Nested:
    app = app

number = 5
no_policies = {"mutations": [Put], "policies": 7}
a_word = {"mutations": "put"}
not_a_mutation = App(mutations=[Box])
twice = App(mutations=[Put, type("Put", (Put,), {"__module__": __name__})])
settings = None
bad_settings = {"mutations": [Put], "settings": {"max_attempts": 1}}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "boxes.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("import no_such_library\n")
    (tmp_path / "syntax.py").write_text("def (:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in ("boxes", "broken", "syntax"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("spec", ["boxes:app", "boxes:as_mapping", "boxes:make", "boxes", "boxes:Nested.app"])
def test_an_application_may_have_several_shapes(spec: str) -> None:
    asked = ("submit", "put", "--data", '{"item": "pen"}', "--state", "s", "--reason", "r", "--as", "a", "--run")

    assert gov(*asked, "--app", spec).code == 0
    assert gov("state", "s", "--json").json["value"] == {"items": ["pen"]}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (":app", "module:attribute"),
        ("boxes:", "module:attribute"),
        ("no_such_module:app", "no module 'no_such_module'"),
        ("boxes.inner:app", "boxes.inner"),
        ("boxes:no_such", "no attribute 'no_such'"),
        ("boxes:Nested.no_such", "no attribute 'no_such'"),
        ("broken:app", "no_such_library"),
        ("syntax:app", "SyntaxError"),
        ("boxes:fail", "ValueError: out of"),
        ("boxes:number", "it is a int"),
        ("boxes:Box", "has to be"),
        ("sys", "module without 'mutations'"),
        ("boxes:no_policies", "has to be"),
        ("boxes:a_word", "has to be"),
        ("boxes:bad_settings", "settings"),
        ("boxes:not_a_mutation", "not a mutation"),
        ("boxes:twice", "two mutations"),
    ],
)
def test_what_is_wrong_with_an_application_is_named(spec: str, told: str) -> None:
    for command in (("mutations",), ("execute", "abcd", "--as", "a")):
        gov("db", "init")
        refused = gov(*command, "--app", spec, "--json")
        assert refused.code == 2, refused
        assert told in refused.error["message"]
        assert "\x1b" not in refused.err


def test_with_a_directory_nobody_gives_themselves_a_role() -> None:
    where = ("--app", "boxes:with_directory")
    asked = ("submit", "put", "--data", '{"item": "pen"}', "--state", "s", "--reason", "r", "--as", "a", "-q")
    request = gov(*asked, *where).out.strip()

    assert gov("approve", request, "--as", "mallory:lead", *where).code == 4
    assert gov("approve", request, "--as", "alan", *where).code == 0


def test_what_needs_an_application_says_how_to_name_it() -> None:
    refused = gov("submit", "put", "--state", "s", "--reason", "r", "--as", "a")

    assert refused.code == 2
    assert "--app module:attribute" in refused.err
    assert "GOVERNANCE_APP" in refused.err


def test_application_and_store_can_come_from_the_environment(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOVERNANCE_APP", "boxes:app")
    monkeypatch.setenv("GOVERNANCE_URL", "sqlite:///other.db")
    monkeypatch.setenv("GOVERNANCE_ACTOR", "ada")

    assert gov("submit", "put", "--data", '{"item": "pen"}', "--state", "s", "--reason", "r").code == 0
    assert (here / "other.db").exists()


def test_the_store_is_a_file_in_the_working_directory_unless_said_otherwise(here: Path) -> None:
    assert gov("db", "init").code == 0

    assert (here / "governance.db").exists()


def test_a_stored_mutation_that_the_application_does_not_know_is_named(here: Path) -> None:
    asked = ("submit", "put", "--data", '{"item": "pen"}', "--state", "s", "--reason", "r", "--as", "a", "-q")
    request = gov(*asked, "--app", "boxes:app").out.strip()

    refused = gov("execute", request, "--as", "a", "--app", "governance.cli.demo_case:app", "--json")

    assert (refused.code, refused.error["rule"]) == (2, "unknown-mutation")
    assert gov("show", request).code == 0
