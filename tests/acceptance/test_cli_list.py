"""`gov list`: what it finds, page by page, always up to date."""

import pytest

from tests.commands import Gov


@pytest.fixture
def gov(store_url: str) -> Gov:
    return Gov(store_url)


def ids(gov: Gov, *given: str) -> list[str]:
    ended = gov("list", *given, "--json")
    assert ended.code == 0, ended
    return [each["request_id"] for each in ended.json["items"]]


def test_the_newest_come_first_and_are_there_at_once(gov: Gov) -> None:
    first = gov.grant("ada")
    assert ids(gov) == [first]

    second = gov.grant("bob")

    assert ids(gov) == [second, first]


def test_requests_are_found_by_what_is_known_of_them(gov: Gov) -> None:
    ran, waits = gov.executed("ada"), gov.grant("bob", state="tenant-7:roles")

    assert ids(gov, "--status", "executed") == [ran]
    assert ids(gov, "--status", "executed", "--status", "pending") == [waits, ran]
    assert ids(gov, "--pending", "approval") == [waits]
    assert ids(gov, "--state", "tenant-7:roles") == [waits]
    assert ids(gov, "--requester", "nobody") == []
    assert ids(gov, "--mutation", "grant_admin", "--risk", "high", "--tag", "access", "--text", "R") == [waits, ran]
    assert ids(gov, "--since", "2199-01-01T00:00:00Z") == []
    assert ids(gov, "--until", "2199-01-01T00:00:00Z") == [waits, ran]


def test_a_list_goes_on_page_by_page(gov: Gov) -> None:
    made = [gov.grant(f"user-{number}") for number in range(5)]
    found, cursor = [], None
    while True:
        page = gov("list", "--limit", "2", *(["--after", cursor] if cursor else []), "--json").json
        found += [each["request_id"] for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break

    assert found == made[::-1]
    assert "more: --after" in gov("list", "--limit", "2").out


def test_the_list_needs_no_application(gov: Gov) -> None:
    request = gov.grant()

    assert request[-8:] in Gov(gov.url, app=None)("list").out


def test_a_list_of_nothing_says_so(gov: Gov) -> None:
    assert gov("db", "init").code == 0

    assert "No request matches." in gov("list").out


@pytest.mark.parametrize(
    "wrong",
    [
        ("--status", "open"),
        ("--risk", "huge"),
        ("--since", "yesterday"),
        ("--since", "2026-01-01T00:00:00"),
        ("--after", "nonsense"),
        ("--limit", "0"),
        ("--limit", "many"),
    ],
)
def test_what_cannot_be_asked_is_refused(gov: Gov, wrong: tuple[str, str]) -> None:
    gov.grant()

    assert gov("list", *wrong).code == 2
