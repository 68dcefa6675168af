"""Following the event store from a position onwards, alike on both databases."""

from collections import deque
from collections.abc import Sequence
from typing import Protocol, Self

from eventsourcing.persistence import ApplicationRecorder, Notification, Subscription

PAGE_EVENTS = 1_000
WAIT_SECONDS = 0.5


class Followable(Protocol):
    """What a subscription needs of a recorder."""

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Returns settled events in global order."""
        ...

    def max_notification_id(self) -> int | None:
        """Returns the position of the last settled event."""
        ...

    def wait_for_append(self, after: int, timeout: float) -> bool:
        """Waits for a settled event above the position."""
        ...


class PositionSubscription(Subscription[ApplicationRecorder]):
    """Yields every event above a position once, in order, and waits for more until it is stopped."""

    def __init__(self, recorder: ApplicationRecorder, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._page: deque[Notification] = deque()
        self._read_to = gt or 0

    def __next__(self) -> Notification:
        """Returns the next event; raises StopIteration once stopped, and the store's error if it fails."""
        while not self._has_been_stopped:
            if self._page:
                return self._advance(self._page.popleft())
            self._fill()
        raise StopIteration

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def _advance(self, notification: Notification) -> Notification:
        self._last_notification_id = self._read_to = notification.id
        return notification

    def _fill(self) -> None:
        store = self._followable()
        # The head is read before the page: events of other topics up to it can then be passed over for good.
        head = store.max_notification_id() or 0
        if head > self._read_to:
            self._page.extend(
                store.select_notifications(self._read_to, PAGE_EVENTS, head, self._topics, inclusive_of_start=False)
            )
            if not self._page:
                self._read_to = head
            return
        store.wait_for_append(self._read_to, WAIT_SECONDS)

    def _followable(self) -> Followable:
        store: Followable = self._recorder  # type: ignore[assignment]
        return store
