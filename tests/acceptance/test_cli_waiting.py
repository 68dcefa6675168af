"""`gov inbox`, `gov reviews` and `gov doctor`."""

from datetime import timedelta
from pathlib import Path

import pytest

from governance import Actor, Governance, approval
from tests.cases import ALAN, GRACE, MUTATIONS, START, STATE_ID, GrantAdmin
from tests.commands import gov

APP = """
from governance import App, StaticDirectory
from tests.cases import MUTATIONS
app = App(mutations=MUTATIONS, directory=StaticDirectory(roles={"lead": ["grace", "alan"], "cto": []}))
"""


@pytest.fixture
def asked(store_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GOVERNANCE_URL", store_url)
    monkeypatch.delenv("GOVERNANCE_APP", raising=False)
    with Governance.open(store_url, mutations=MUTATIONS) as governance:
        request = governance.submit(
            GrantAdmin(user="ada"),
            state_id=STATE_ID,
            actor=GRACE,
            reason="on call",
            requires=(approval(role="lead"), approval(role="cto", step=2)),
        )
    return request.id


def test_inbox_lists_what_the_actor_can_decide_on_now(asked: str) -> None:
    listed = gov("inbox", "--as", "alan:lead,cto", "--json")
    assert [(row["request_id"], row["requirement_id"]) for row in listed.json["items"]] == [(asked, "1.1")]
    assert asked[-8:] in gov("inbox", "--as", "alan:lead").out


@pytest.mark.parametrize("actor", ["grace:lead", "tony", "tony:cto"])
def test_inbox_is_empty_for_who_cannot_decide_now(asked: str, actor: str) -> None:
    assert gov("inbox", "--as", actor, "--json").json == {"items": []}
    assert f"Nothing waits for {actor.partition(':')[0]}" in gov("inbox", "--as", actor).out


def test_open_review_is_listed_until_it_is_closed(asked: str, store_url: str) -> None:
    assert "No review is open." in gov("reviews").out
    with Governance.open(store_url, mutations=MUTATIONS) as governance:
        governance.break_glass(asked, actor=Actor(id="nora", roles=("break-glass",)), reason="fire")
        assert [row["request_id"] for row in gov("reviews", "--json").json["items"]] == [asked]
        governance.review(asked, actor=Actor(id="root", kind="administrator"), justified=True, comment="it burnt")
    assert gov("reviews", "--json").json == {"items": []}


def test_doctor_finds_nothing_where_nothing_waits_in_vain(asked: str) -> None:
    found = gov("doctor")
    assert (found.code, found.out.strip()) == (0, "Nothing waits in vain.")


def test_doctor_finds_requirements_that_nobody_can_meet_any_more(
    asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    found = gov("doctor", "--app", "shop:app", "--json")
    assert found.code == 1
    assert [(each["requirement_id"], each["people"]) for each in found.json["unsatisfiable"]] == [("1.2", [])]
    assert "nobody could decide" in gov("doctor", "--app", "shop:app").out


def test_doctor_finds_what_is_overdue(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOVERNANCE_URL", store_url)
    with Governance.open(store_url, mutations=MUTATIONS, clock=lambda: START) as governance:
        late = governance.submit(
            GrantAdmin(user="ada"),
            state_id=STATE_ID,
            actor=GRACE,
            reason="on call",
            requires=(approval(actor=ALAN.id, expires_after=timedelta(hours=1)),),
        )
    found = gov("doctor", "--json")
    assert (found.code, [row["due"] for row in found.json["overdue"]]) == (1, ["approval-deadline"])
    assert late.id[-8:] in gov("doctor").out
