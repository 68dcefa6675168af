"""`gov policy`: files are looked over, tested and explained, and tried on the past; nothing wrong is ever raised."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import Ended, Gov, gov

POLICIES = """\
version: 1
requirements:
  leads: {role: security-lead, quorum: 2, expires_after: 6h}
  unused: {actor: ada}
policies:
  - name: production
    applies_to: grant_admin
    when: '"production" in intent.tags && mutation.user != "ada"'
    then: {require: leads, reason: it is production}
  - name: no-root
    applies_to: [Roles]
    when: mutation.user == "root"
    then: {deny: {reason: "nobody is \\e[31mroot", code: no-root}}
  - name: lower
    applies_to: grant_admin
    when: mutation.user != mutation.user.lowerAscii()
    then: {amend: {payload: {user: mutation.user.lowerAscii()}}}
tests:
  - name: production asks for leads
    mutation: {type: grant_admin, payload: {user: Bob}}
    state_type: Roles
    intent: {tags: [production]}
    expect: {decision: require, requirements: [leads], payload: {user: bob}, policies: {lower: amend, no-root: allow}}
  - name: root is refused
    mutation: {type: grant_admin, payload: {user: root}}
    state_type: Roles
    state: {admins: [ada]}
    actor: grace:lead
    expect: {decision: deny, codes: [no-root]}
"""
FAILING = """\
version: 1
files: [policies.yaml]
tests:
  - name: wrong in every way
    mutation: {type: grant_admin, payload: {user: bob}}
    state_type: Roles
    expect: {decision: deny, requirements: [leads], codes: [x], payload: {user: eve}, policies: {no-root: silent}}
"""
APP = """
from pydantic import BaseModel
from governance import App, Mutation, approval, deny, policy, require

class Roles(BaseModel):
    admins: tuple[str, ...] = ()

class GrantAdmin(Mutation[Roles]):
    user: str
    def apply(self, state):
        return Roles(admins=(*state.admins, self.user))
    def validate_on(self, state):
        return [f"{self.user} is already an admin"] if self.user in state.admins else []

@policy(GrantAdmin)
def one_lead(mutation, state, context):
    return require(approval(role="lead"))

@policy(GrantAdmin)
def nobody(mutation, state, context):
    return deny("no \\x1b[31mway")

app = App(mutations=[GrantAdmin], policies=[one_lead])
strict = [nobody]
def made():
    return strict
one = nobody
number = 5
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


# backtest


@pytest.fixture
def past(store_url: str) -> Gov:
    store = Gov(store_url, "granting:app")
    for user in ("ada", "bob", "root"):
        store.grant(user, "--intent", '{"tags": ["production"]}')
    return store


def test_the_past_is_judged_by_other_policies(past: Gov) -> None:
    ended = past("policy", "backtest", "--policies", "policies.yaml", "--json")

    assert ended.code == 0
    assert (ended.json["considered"], ended.json["changed"], ended.json["same"]) == (3, 3, 0)
    assert ended.json["turns"] == {"require → allow": 1, "require → require": 1, "require → deny": 1}
    (_, bob, root) = ended.json["requests"]["changed"]
    assert [each["name"] for each in bob["requirements_added"]] == ["leads"]
    assert root["now"]["codes"] == ["no-root"]


def test_the_past_by_the_policies_of_today_is_the_past(past: Gov) -> None:
    ended = past("policy", "backtest", "--check")

    assert (ended.code, ended.out) == (0, "3 requests: 0 would be decided otherwise\n")


@pytest.mark.parametrize("spec", ["granting:strict", "granting:made", "granting:one"])
def test_other_policies_may_come_from_code(past: Gov, spec: str) -> None:
    ended = past("policy", "backtest", "--policies", spec, "--check")

    assert ended.code == 1
    assert "require → deny  3" in ended.out
    assert "\x1b" not in ended.out


def test_requests_are_chosen(past: Gov) -> None:
    def considered(*given: str) -> int:
        return int(past("policy", "backtest", *given, "--json").json["considered"])

    assert considered("--limit", "2") == 2
    assert considered("--since", "2199-01-01T00:00:00Z") == 0
    assert considered("--until", "2199-01-01T00:00:00Z", "--mutation", "grant_admin") == 3
    assert considered("--mutation", "other") == 0


def test_requests_that_nobody_can_satisfy_are_shown(past: Gov, here: Path) -> None:
    (here / "people.toml").write_text('[roles]\nlead = ["grace"]\n')

    ended = past("policy", "backtest", "--directory", "people.toml")

    assert "Nobody could satisfy  3" in ended.out
    assert past("policy", "backtest", "--directory", "people.toml", "--check").code == 1


@pytest.mark.parametrize(
    "given",
    [
        ("--policies", "no_such:policies"),
        ("--policies", "granting"),
        ("--policies", "granting:nothing"),
        ("--policies", "granting:number"),
        ("--policies", "none.yaml"),
        ("--since", "yesterday"),
        ("--limit", "0"),
        ("--directory", "none.toml"),
        ("--policies", "policies.yaml", "--policies", "policies.yaml"),
    ],
)
def test_backtest_refuses_what_it_cannot_read(past: Gov, given: tuple[str, ...]) -> None:
    ended = past("policy", "backtest", *given, "--json")

    assert ended.code == 2, ended
    assert ended.error["message"]


def test_backtest_needs_an_application_and_a_store(sqlite_url: str) -> None:
    assert Gov(sqlite_url, None)("policy", "backtest").code == 2
    assert Gov(sqlite_url, "granting:app")("policy", "backtest").code == 1


def test_what_is_listed_is_bounded(past: Gov, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("governance.cli.policy_backtest.MAX_LISTED", 2)

    found = past("policy", "backtest", "--policies", "granting:strict", "--json").json

    assert (found["changed"], len(found["requests"]["changed"])) == (3, 2)
    assert "1 more" in past("policy", "backtest", "--policies", "granting:strict").out


def test_json_is_one_document(past: Gov) -> None:
    assert json.loads(past("policy", "backtest", "--json").out)["problems"] == 0
