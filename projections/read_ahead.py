"""Reading the next page of the log while the one before is worked on."""

from concurrent.futures import Future, ThreadPoolExecutor

from projections.events import Stored
from projections.feed import Feed

Wanted = tuple[int, int, int]


class ReadAhead:
    """Holds at most one page that was read before it is asked for."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._reader: ThreadPoolExecutor | None = None
        self._wanted: Wanted | None = None
        self._page: Future[list[Stored]] | None = None

    def read(self, after: int, upto: int, limit: int) -> None:
        """Begin to read a page."""
        if self._reader is None:
            self._reader = ThreadPoolExecutor(1, thread_name_prefix="projections-ahead")
        self._wanted = (after, upto, limit)
        self._page = self._reader.submit(self._feed.page, after, upto, limit)

    def page(self, after: int, upto: int, limit: int) -> list[Stored]:
        """Return a page: the one that was read ahead if it is that, else read now."""
        page, self._page = self._page, None
        if page is not None and self._wanted == (after, upto, limit):
            return page.result()
        return self._feed.page(after, upto, limit)

    def close(self) -> None:
        """End the thread."""
        if self._reader is not None:
            self._reader.shutdown(wait=True)
            self._reader = None
