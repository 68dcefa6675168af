"""Who may change calendars and quotas: administrators, and who holds the role now, whatever a caller says of them."""

from collections.abc import Callable

import pytest

from governance import (
    Actor,
    DirectoryUnavailableError,
    Governance,
    InputError,
    NotAuthorizedError,
    Settings,
    StaticDirectory,
)
from tests.cases import HOUR, MUTATIONS, ROOT

OLGA = Actor(id="olga")
MALLORY = Actor(id="mallory", roles=("calendar-keeper", "quota-keeper", "night-watch"))
Act = Callable[[Governance, Actor], object]
ACTS: dict[str, Act] = {
    "define a calendar": lambda gov, actor: gov.calendars.define(
        "nightly", zone="UTC", openings=[("0 2 * * *", HOUR)], actor=actor
    ),
    "freeze": lambda gov, actor: gov.calendars.freeze("all", ends=None, reason="audit", actor=actor),
    "define a quota": lambda gov, actor: gov.quotas.define("deploys", limit=5, per=HOUR, actor=actor),
}


@pytest.fixture(params=list(ACTS.values()), ids=list(ACTS))
def act(request: pytest.FixtureRequest) -> Act:
    chosen: Act = request.param
    return chosen


def test_directory_says_who_holds_the_role(store_url: str, act: Act) -> None:
    directory = StaticDirectory(roles={"calendar-keeper": ["olga"], "quota-keeper": ["olga"]})
    with Governance.open(store_url, mutations=MUTATIONS, directory=directory) as gov:
        with pytest.raises(NotAuthorizedError, match=r"mallory may not .* that takes the role") as refused:
            act(gov, MALLORY)
        assert (refused.value.ids["actor"], gov.log.head()) == ("mallory", 0)
        act(gov, OLGA)


def test_without_a_directory_the_caller_does(store_url: str, act: Act) -> None:
    with Governance.open(store_url, mutations=MUTATIONS) as gov:
        with pytest.raises(NotAuthorizedError):
            act(gov, OLGA)
        act(gov, MALLORY)


def test_administrators_may_in_any_case_and_need_no_directory(store_url: str, act: Act) -> None:
    class Down:
        async def members(self, kind: str, name: str) -> frozenset[str]:
            raise ConnectionError("down")

    with Governance.open(store_url, mutations=MUTATIONS, directory=Down()) as gov:
        with pytest.raises(DirectoryUnavailableError):
            act(gov, OLGA)
        assert gov.log.head() == 0
        act(gov, ROOT)


def test_role_is_a_setting(store_url: str) -> None:
    settings = Settings(calendar_role="night-watch")
    with Governance.open(store_url, mutations=MUTATIONS, settings=settings) as gov:
        ACTS["freeze"](gov, MALLORY)


@pytest.mark.parametrize("nobody", [None, "olga", 7])
def test_somebody_has_to_be_named(store_url: str, act: Act, nobody: object) -> None:
    with Governance.open(store_url, mutations=MUTATIONS) as gov:
        with pytest.raises(InputError, match="actor"):
            act(gov, nobody)  # type: ignore[arg-type]
        assert gov.log.head() == 0
