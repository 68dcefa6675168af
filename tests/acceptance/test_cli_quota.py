"""`gov quota`: defining, listing and showing quotas."""

from datetime import UTC, datetime, timedelta

import pytest

from governance import Governance, quota
from tests.cases import GRACE, MUTATIONS, Add
from tests.commands import Ended, Gov

ROOT = "root:kind=administrator"


@pytest.fixture
def gov(store_url: str) -> Gov:
    gov = Gov(store_url)
    assert gov("db", "init").code == 0
    return gov


def define(gov: Gov, key: str, limit: int, *more: str, actor: str = ROOT, per: str = "2h") -> Ended:
    return gov("quota", "define", key, "--limit", str(limit), "--per", per, *more, "--as", actor)


def ask(gov: Gov, *keys: str, hold: bool = False) -> list[str]:
    """Ask for something that takes a token of each key, have it served, and return the ids of the requests."""
    with Governance.open(gov.url, mutations=MUTATIONS) as governance:
        found = [
            governance.submit(Add(amount=1), state_id=f"n{key}", actor=GRACE, reason="r", requires=[quota(key)]).id
            for key in keys
        ]
        engines = governance.engines
        for engine in engines if hold else ():
            if engine.name == "quota":
                for item in engine.due(datetime.now(UTC), 100):
                    engine.perform(item, datetime.now(UTC))
        if not hold:
            governance.run_due()
    return found


def test_quota_is_defined_listed_and_given_another_size(gov: Gov) -> None:
    assert "There is no quota." in gov("quota", "list").out
    assert define(gov, "deploys", 2, "--window", "sliding").code == 0
    assert define(gov, "backups", 5, per="1d").code == 0
    listed = gov("quota", "list", "--json").json["quotas"]
    assert [(each["key"], each["limit"], each["per"], each["window"]) for each in listed] == [
        ("backups", 5, "P1D", "fixed"),
        ("deploys", 2, "PT2H", "sliding"),
    ]
    assert define(gov, "deploys", 3).code == 0
    (deploys,) = [each for each in gov("quota", "list", "--json").json["quotas"] if each["key"] == "deploys"]
    assert (deploys["limit"], deploys["window"]) == (3, "fixed")
    told = gov("quota", "list").out
    assert "3 per 2h" in told
    assert "5 per 1d" in told


def test_shown_are_who_has_taken_tokens_what_is_free_and_when_more_are(gov: Gov) -> None:
    define(gov, "deploys", 3, "--window", "sliding")
    (used,), (held,) = ask(gov, "deploys"), ask(gov, "deploys", hold=True)
    shown = gov("quota", "show", "deploys", "--json").json
    assert (shown["taken"], shown["used"], shown["reserved"], shown["free"]) == (2, 1, 1, 1)
    assert [(each["request_id"], each["status"]) for each in shown["reservations"]] == [
        (used, "executed"),
        (held, "approved"),
    ]
    first = datetime.fromisoformat(shown["reservations"][0]["at"])
    assert datetime.fromisoformat(shown["more_at"]) == first + timedelta(hours=2)
    told = gov("quota", "show", "deploys").out
    assert "1 used, 1 reserved" in told
    assert used[-8:] in told


def test_keys_under_a_star_are_listed_while_they_have_tokens_taken(gov: Gov) -> None:
    define(gov, "actor:*", 2)
    ask(gov, "actor:ada", "actor:bob", "actor:ada")
    listed = {each["key"]: (each["taken"], each["free"]) for each in gov("quota", "list", "--json").json["quotas"]}
    assert listed == {"actor:*": (0, 2), "actor:ada": (2, 0), "actor:bob": (1, 1)}
    told = gov("quota", "list").out
    assert "each key has its own" in told
    assert "by actor:*" in told
    with Governance.open(gov.url, mutations=MUTATIONS) as governance:
        governance.agenda.rebuild()
    assert {each["key"] for each in gov("quota", "list", "--json").json["quotas"]} == set(listed)
    assert gov("quota", "show", "actor:carl", "--json").json["free"] == 2


@pytest.mark.parametrize("per", ["", "2", "2 weeks", "-1h", "1.5h", "h", "9999999d"])
def test_duration_that_is_none_is_refused_and_says_how_to_write_it(gov: Gov, per: str) -> None:
    refused = define(gov, "deploys", 1, f"--per={per}")
    assert refused.code == 2
    assert "90s, 30m, 2h or 7d" in refused.err


@pytest.mark.parametrize(("key", "limit", "per"), [("deploys", -1, "1h"), ("deploys", 1, "0s"), ("", 1, "1h")])
def test_quota_that_cannot_be_is_refused(gov: Gov, key: str, limit: int, per: str) -> None:
    assert define(gov, key, limit, per=per).code == 2
    assert gov("quota", "list", "--json").json == {"quotas": []}


def test_quotas_are_defined_by_administrators_and_keepers_only(gov: Gov) -> None:
    refused = define(gov, "deploys", 1, "--json", actor="grace")
    assert (refused.code, refused.error["rule"]) == (4, "not-authorized")
    assert define(gov, "deploys", 1, actor="kay:quota-keeper").code == 0


def test_quota_that_nothing_defines_says_what_to_do(gov: Gov) -> None:
    unknown = gov("quota", "show", "nothing")
    assert unknown.code == 2
    assert "gov quota define" in unknown.err
