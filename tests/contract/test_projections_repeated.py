"""Asking for the same list again, which keeps its query: the answer is always that of now and of what was asked."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from governance.domain.errors import InputError
from projections import Projections, Views, field
from projections.reading import LONGEST_KEPT, MOST_KEPT
from tests.histories import Play


@pytest.fixture
def views(store_url: str) -> Iterator[Views]:
    with Play(store_url, 7) as play:
        play.commands(60)
    with Projections.open(store_url) as projections:
        projections.catch_up()
    with Views.open(store_url) as views:
        yield views


def test_list_asked_for_before_a_rebuild_is_that_of_the_new_generation_behind_it(views: Views, store_url: str) -> None:
    def shown() -> list[Sequence[Any]]:
        return [
            views.requests(limit=20).items,
            views.requests(status="pending").items,
            views.approvals(limit=20).items,
        ]

    before = shown()
    with Projections.open(store_url) as projections:
        projections.rebuild("requests", "approvals")
        projections.drop("requests")
        projections.drop("approvals")
    assert shown() == before


def test_what_is_equal_to_python_is_not_the_same_question(views: Views) -> None:
    one = views.requests(field("round").is_in(1)).items
    assert one
    for wrong in (True, "1"):
        with pytest.raises(InputError):
            views.requests(field("round").is_in(wrong))
    assert views.requests(field("round").is_in(1.0)).items == one


def test_pages_of_a_list_go_on_where_they_were_whoever_asked_for_it_before(views: Views) -> None:
    whole = views.requests(limit=1_000).items
    assert len(whole) > 10
    first = views.requests(limit=5)
    again, second = views.requests(limit=5), views.requests(limit=5, after=first.next)
    assert again.items == first.items
    assert (*first.items, *second.items) == whole[:10]
    assert views.requests(sort="created", limit=1_000).items == whole[::-1]


def test_no_more_queries_are_kept_than_the_limit_and_no_long_ones(views: Views) -> None:
    kept = views._reader("requests")._kept
    for number in range(MOST_KEPT + 50):
        views.requests(field("requester").is_in(f"person-{number}"), limit=1)
    assert 0 < len(kept) <= MOST_KEPT
    views.requests(field("requester").is_in(*(f"person-{number}" for number in range(500))))
    assert all(len(asked) <= LONGEST_KEPT for _, asked in kept)
