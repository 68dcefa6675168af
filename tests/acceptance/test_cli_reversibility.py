"""The way back by `gov`: told wherever somebody looks before saying yes."""

from datetime import timedelta
from typing import Any, ClassVar

from pydantic import BaseModel

from governance import App, Mutation, Reversibility, approval, policy, require, reversible
from tests.commands import Gov

TOLD = "reversible within 2 hours of its execution; then needs work by hand: call the bank"


class Till(BaseModel):
    paid: int = 0


class Pay(Mutation[Till]):
    reversibility: ClassVar[Reversibility | None] = reversible(within=timedelta(hours=2), then="call the bank")
    amount: int

    def apply(self, state: Till) -> Till:
        return Till(paid=state.paid + self.amount)


@policy(Pay)
def a_lead(mutation: Pay, state: Till, context: object) -> Any:
    return require(approval(role="lead"))


app = App(mutations=(Pay,), policies=(a_lead,))


def test_way_back_is_told_before_approval_and_until_when_afterwards(store_url: str) -> None:
    gov = Gov(store_url, app="tests.acceptance.test_cli_reversibility:app")
    asked = ("submit", "pay", "--state", "till", "--data", '{"amount": 5}', "--reason", "r", "--as", "grace")
    assert TOLD in " ".join(gov(*asked, "--dry-run").out.split())
    request = gov.id(*asked)
    for command in (("show", request), ("why", request), ("preview", request)):
        assert TOLD in " ".join(gov(*command).out.split()), command
    assert gov("preview", request, "--json").json["reversibility"] == TOLD
    assert gov("inbox", "--as", "alan:lead", "--json").json["items"][0]["reversibility"] == TOLD
    assert "way back" in gov("inbox", "--as", "alan:lead").out
    assert gov("approve", request, "--as", "alan:lead").code == 0
    assert gov("execute", request, "--as", "worker").code == 0
    assert "reversible until" in gov("show", request).out


def test_requester_makes_the_way_back_shorter(store_url: str) -> None:
    gov = Gov(store_url, app="tests.acceptance.test_cli_reversibility:app")
    asked = ("submit", "pay", "--state", "till", "--data", '{"amount": 5}', "--reason", "r", "--as", "grace")
    shorter = gov.id(*asked, "--intent", '{"reversibility": {"within": "PT1H"}}')
    assert "reversible within 1 hour" in gov("why", shorter).out
    longer = gov.id(*asked, "--intent", '{"reversibility": {"within": "P9D"}}')
    assert "reversible within 2 hours" in gov("why", longer).out
    assert gov(*asked, "--intent", '{"reversibility": {"within": "soon"}}').code == 2


def test_doctor_names_what_was_not_put_right_and_whose_it_is(store_url: str) -> None:
    gov = Gov(store_url, app="tests.acceptance.test_cli_reversibility:app")
    request = gov.id("submit", "pay", "--state", "till", "--data", '{"amount": 5}', "--reason", "r", "--as", "grace")
    assert gov("approve", request, "--as", "alan:lead").code == 0
    assert gov("execute", request, "--as", "worker").code == 0
    assert gov("doctor").code == 0
    by_hand = ("--mutation", "pay", "--data", '{"amount": -5}')
    undo = gov.id("compensate", request, "--as", "tony", "--reason", "twice", *by_hand)
    assert gov("reject", undo, "--as", "alan:lead", "--reason", "call them first").code == 0
    found = gov("doctor", "--json")
    assert (found.code, len(found.json["not_put_right"])) == (1, 1)
    told = found.json["not_put_right"][0]
    assert (told["request_id"], told["by"], told["owner"]) == (request, undo, "tony")
    assert "tony has to see to it" in gov("doctor").out
    assert "tony has to see to it" in gov("why", request).out
