"""`gov policy`: files are looked over, tested and explained, and tried on the past; nothing wrong is ever raised."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import Ended, gov
from tests.policy_files import APP, POLICIES

FAILING = """\
version: 1
files: [policies.yaml]
tests:
  - name: wrong in every way
    mutation: {type: grant_admin, payload: {user: bob}}
    state_type: Roles
    expect: {decision: deny, requirements: [leads], codes: [x], payload: {user: eve}, policies: {no-root: silent}}
"""
APPLICATION = ("--app", "granting:app")
SUBJECT = ("--mutation", "grant_admin", "--data", '{"user": "Bob"}')


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    (tmp_path / "failing.yaml").write_text(FAILING)
    (tmp_path / "granting.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("granting", None)


# lint


def test_lint_tells_what_may_be_wrong_and_succeeds() -> None:
    ended = gov("policy", "lint", "policies.yaml")

    assert ended.code == 0
    assert "policies.yaml: 3 policies" in ended.out
    assert "line 4: requirement unused is required by no policy" in ended.out


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("intent.tags", "intnt.tags", "policies.yaml, line 8: policy production: when: there is no variable 'intnt'"),
        ("require: leads", "require: nobody", "no requirement 'nobody'"),
        ("version: 1", "version: 1\nversion: 1", "appears twice"),
    ],
)
def test_lint_tells_what_is_wrong_and_fails(here: Path, old: str, new: str, told: str) -> None:
    (here / "bad.yaml").write_text(POLICIES.replace(old, new, 1).replace("policies.yaml", "bad.yaml"))

    ended = gov("policy", "lint", "policies.yaml", "bad.yaml")

    assert ended.code == 1
    assert told.replace("policies.yaml", "bad.yaml") in " ".join(ended.out.split())


def test_lint_looks_up_mutations_when_it_knows_the_application(here: Path) -> None:
    (here / "typo.yaml").write_text(POLICIES.replace("grant_admin", "grant_admn"))

    assert gov("policy", "lint", "typo.yaml").code == 0
    assert gov("policy", "lint", "typo.yaml", *APPLICATION).code == 1
    assert gov("policy", "lint", "policies.yaml", *APPLICATION).code == 0


def test_lint_tells_programs(here: Path) -> None:
    (here / "bad.yaml").write_text("version: 1\npolicies: nothing\n")

    fine, bad = gov("policy", "lint", "policies.yaml", "bad.yaml", "--json").json["files"]

    assert (fine["problem"], fine["policies"]) == (None, ["production", "no-root", "lower"])
    assert (bad["line"], bad["warnings"]) == (2, [])
    assert "policies" in bad["problem"]


# test


@pytest.mark.parametrize("application", [(), APPLICATION])
def test_tests_that_hold_pass_with_and_without_the_application(application: tuple[str, ...]) -> None:
    ended = gov("policy", "test", "policies.yaml", *application)

    assert ended.code == 0, ended
    assert "2 passed, 0 failed" in ended.out


def test_tests_that_do_not_hold_say_why_and_fail() -> None:
    ended = gov("policy", "test", "failing.yaml", "--json")

    (result,) = ended.json["results"]
    assert ended.code == 1
    assert (result["place"], result["test"]) == ("failing.yaml:4", "wrong in every way")
    assert len(result["wrong"]) == 5
    assert "FAILED" in gov("policy", "test", "policies.yaml", "failing.yaml").out


def test_a_case_that_does_not_fit_the_application_fails(here: Path) -> None:
    (here / "failing.yaml").write_text(FAILING.replace("user: bob", "usr: bob"))

    ended = gov("policy", "test", "failing.yaml", "--json", *APPLICATION)

    assert ended.code == 1
    assert "mutation" in ended.json["results"][0]["wrong"][0]


def test_no_test_is_no_success(here: Path) -> None:
    (here / "none.yaml").write_text("version: 1\npolicies: [{name: p, then: allow}]")

    assert gov("policy", "test", "none.yaml").code == 1


# explain


def explained(*given: str) -> Ended:
    return gov("policy", "explain", "policies.yaml", *SUBJECT, "--state-type", "Roles", *given)


def test_explain_shows_each_expression_and_what_it_leads_to() -> None:
    ended = explained("--intent", '{"tags": ["production"]}', "--as", "grace:lead", "--json")

    by_name = {each["name"]: each for each in ended.json["policies"]}
    assert ended.code == 0
    assert ended.json["decision"] == "require"
    assert [each["name"] for each in ended.json["requirements"]] == ["leads"]
    assert ended.json["mutation"]["payload"] == {"user": "bob"}
    assert [each["value"] for each in by_name["production"]["expressions"]] == [True, True, True]
    assert [each["value"] for each in by_name["lower"]["expressions"]] == [True, "bob"]
    assert by_name["no-root"]["answer"] == "allow"


def test_explain_tells_people() -> None:
    shown = explained("--intent", '{"tags": ["production"]}').out

    assert shown.startswith("REQUIRE\n")
    assert "leads: 2 of role security-lead" in shown
    assert 'amended: {"user": "bob"}' in shown


def test_explain_tells_who_does_not_apply_and_what_went_wrong() -> None:
    ended = gov("policy", "explain", "policies.yaml", "--mutation", "grant_admin")

    assert ended.code == 0
    assert ended.out.startswith("DENY\n")
    assert "does not apply: it is for Roles" in ended.out
    assert "there is no field 'user'" in ended.out


@pytest.mark.parametrize(
    "given",
    [
        ("--state-json", "{"),
        ("--state-json", "[1]"),
        ("--intent", '{"risk": "none"}'),
        ("--at", "yesterday"),
        ("--as", "a:b=c"),
        ("--data", '{"usr": 1}', *APPLICATION),
        ("--mutation", "no_such", *APPLICATION),
        ("--app", "no_such:app"),
    ],
)
def test_explain_refuses_what_it_cannot_read(given: tuple[str, ...]) -> None:
    ended = explained(*given)

    assert ended.code == 2, ended


def test_hostile_text_does_not_reach_the_terminal(here: Path) -> None:
    (here / "policies.yaml").write_text(POLICIES.replace("mutation.user ==", '"\\\\x1b[31m" != mutation.user ||'))

    for ended in (explained(), gov("policy", "lint", "\x1b[31m.yaml"), gov("policy", "test", "failing.yaml")):
        assert "\x1b" not in ended.out + ended.err


@pytest.mark.parametrize("verb", ["test", "explain"])
def test_a_file_that_cannot_be_read_is_told(verb: str) -> None:
    ended = gov("policy", verb, "none.yaml", *(SUBJECT if verb == "explain" else ()), "--json")

    assert ended.code == 2
    assert "none.yaml" in ended.error["message"]


def test_the_schema_is_printed_for_editors() -> None:
    assert gov("policy", "schema").json == gov("policy", "schema", "--json").json
    assert gov("policy", "schema").json["title"] == "Governance policies"


def test_schema_is_json_however_long_its_lines_are() -> None:
    shown = gov("policy", "schema")
    assert shown.code == 0
    assert json.loads(shown.out) == gov("policy", "schema", "--json").json
    assert max(map(len, shown.out.splitlines())) > 120
