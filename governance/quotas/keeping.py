"""Keeping quotas: defining them, and knowing what is free; each change is an event of the quota's own stream."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from governance.appending import Append
from governance.domain.actors import Actor
from governance.domain.conditions import MAX_DURATION, MAX_TOKENS, QuotaRequirement
from governance.domain.errors import ConcurrencyError, ConfigurationError, InputError
from governance.domain.quota_events import QuotaDefined, TokensReleased
from governance.domain.quotas import Quota, Reservation, candidates, quota_after, window_begin
from governance.domain.values import Given, Id, Value
from governance.event_store.log import EventLog
from governance.ids import new_id
from governance.quotas.glancing import reserved_before
from governance.retrying import attempts
from governance.rights import Rights
from governance.settings import Settings
from governance.streams import quota_stream

SHORTEST: Final = timedelta(seconds=1)
PAGE: Final = 1_000


class Defining(Given):
    """What a quota is defined by."""

    key: Id
    limit: int
    per: timedelta
    window: Literal["fixed", "sliding"]


class Standing(Value):
    """How a quota stands: how much there is in each window, and how much of the present one is taken.

    `defined_by` is the key of the definition that counts for it, its own or one with a star; `more_at` when more tokens
    come free than are now, if nobody takes any, None when none are taken.
    """

    key: str
    defined_by: str
    limit: int
    per: timedelta
    window: Literal["fixed", "sliding"]
    taken: int
    free: int
    more_at: datetime | None = None


class Quotas:
    """The quotas of a store; for administrators and holders of `settings.quota_role` to define."""

    def __init__(
        self,
        log: EventLog,
        clock: Callable[[], datetime],
        settings: Settings,
        keys: Callable[[], Sequence[str]],
        rights: Rights | None = None,
    ) -> None:
        self._log = log
        self._keys = keys
        self._rights = rights or Rights()
        self._clock = clock
        self._settings = settings
        self._kept: dict[str, Quota] = {}

    def define(
        self, key: str, *, limit: int, per: timedelta, window: Literal["fixed", "sliding"] = "fixed", actor: Actor
    ) -> Standing:
        """Define a quota, or give it another size from now on: so many tokens in each window of this length.

        A key that ends with `:*` (or is `*`) is for all keys that begin so and have no definition of their own, each
        with tokens of its own. Raises InputError, NotAuthorizedError.
        """
        given = Defining(key=key, limit=limit, per=per, window=window)
        if not 0 <= given.limit <= MAX_TOKENS or type(limit) is not int:
            msg = f"limit: must be a whole number from 0 to {MAX_TOKENS:,}"
            raise InputError(msg, field="limit")
        if not SHORTEST <= given.per <= MAX_DURATION:
            msg = f"per: must be from one second to {MAX_DURATION.days:,} days"
            raise InputError(msg, field="per")
        self._rights.check(actor, self._settings.quota_role, "define quotas", quota=key)
        self._append(key, QuotaDefined(limit=limit, per=per, window=window), actor)
        return self.get(key)

    def get(self, key: str) -> Standing:
        """Return how the quota stands now; ConfigurationError when nothing defines it."""
        now = self._clock()
        quota, rule = self.current(key, now)
        taken = quota.taken(rule, now)
        free = max(0, rule.limit - taken)
        return Standing(
            key=key,
            defined_by=self._closest(quota)[0],
            limit=rule.limit,
            per=rule.per,
            window=rule.window,
            taken=taken,
            free=free,
            more_at=quota.free_at(rule, free + 1, now) if taken else None,
        )

    def all(self) -> list[Standing]:
        """Return how every quota stands that is defined, or of which tokens are taken now, by key."""
        found = [self.get(key) for key in sorted(self._keys())]
        return [each for each in found if each.taken or each.defined_by == each.key]

    def reservations(self, key: str) -> tuple[Reservation, ...]:
        """Return what is taken of the present window, and later ones; ConfigurationError when nothing defines it."""
        now = self._clock()
        quota, rule = self.current(key, now)
        return tuple(quota.counting(rule, now))

    def rule(self, key: str) -> QuotaDefined:
        """Return the definition that counts for a key, its own or the closest with a star; ConfigurationError."""
        return self._closest(self.look(key))[1]

    def refuse_impossible(self, asked: QuotaRequirement) -> None:
        """Refuse a requirement of a quota that nothing defines, or of more than there ever is: ConfigurationError."""
        rule = self.rule(asked.key)
        if asked.tokens > rule.limit:
            msg = f"quota {asked.key} has {rule.limit:,} tokens per window, never {asked.tokens:,}"
            raise ConfigurationError(msg, quota=asked.key)

    def free_at(self, asked: QuotaRequirement, now: datetime) -> datetime | None:
        """Return when the tokens are free as things stand, `now` if they are, None when they never are."""
        quota, rule = self.current(asked.key, now)
        return quota.free_at(rule, asked.tokens, now)

    def current(self, key: str, now: datetime) -> tuple[Quota, QuotaDefined]:
        """Return the quota with all that counts now, and what defines it; ConfigurationError when nothing does.

        What was forgotten and counts again, because a clock went back or windows became longer, is read again.
        """
        quota = self.look(key)
        rule = self._closest(quota)[1]
        if not quota.knows(rule, now):
            quota = self._read(Quota(key=key), forget=False)
            self._kept[key] = self._without_old(quota)
        return quota, rule

    def look(self, key: str) -> Quota:
        """Return the quota as it is now, empty when there is none; only what is new is read, and what is old forgotten.

        Use it for what is defined and for the version; `current` for what is taken.
        """
        quota = self._kept[key] = self._read(self._kept.get(key, Quota(key=key)), forget=True)
        return quota

    def returned(self, quota: Quota, reservation: tuple[str, str], after: int) -> bool:
        """Return whether tokens came back from a request and requirement behind a position of the log, up to now."""
        limit = PAGE
        while True:
            latest = self._log.latest(quota_stream(quota.key), upto=quota.version, limit=limit)
            for each in latest:
                if (each.position or 0) <= after:
                    return False
                event = each.event
                if isinstance(event, TokensReleased) and (event.request_id, event.requirement_id) == reservation:
                    return True
            if len(latest) < limit:
                return False
            limit *= 10

    def _read(self, quota: Quota, *, forget: bool) -> Quota:
        """Return the quota after what is new in its stream; what would be forgotten at once is not even decoded."""
        while True:
            upto = quota.version + PAGE
            stored = self._log.stored_stream(quota_stream(quota.key), after=quota.version, upto=upto)
            begins = self._horizon(quota) if forget and stored else None
            news = [self._log.decoded(each) for each in stored if begins is None or not reserved_before(each, begins)]
            quota = quota_after(quota, news)
            if begins is not None and len(news) < len(stored):
                version = stored[-1].originator_version
                quota = quota.model_copy(update={"version": version, "since": max(begins, quota.since or begins)})
            if stored and forget:
                quota = self._without_old(quota)
            if len(stored) < PAGE:
                return quota

    def _horizon(self, quota: Quota) -> datetime | None:
        """Return from when on reservations are kept: two windows, for clocks differ a little; None without a rule."""
        try:
            rule = self._closest(quota)[1]
        except ConfigurationError:
            return None
        return window_begin(rule, self._clock()) - rule.per

    def _without_old(self, quota: Quota) -> Quota:
        begins = self._horizon(quota) if quota.reservations else None
        return quota if begins is None else quota.forgetting(begins)

    def _closest(self, quota: Quota) -> tuple[str, QuotaDefined]:
        """Return the key of the definition that counts for a quota, and that definition; ConfigurationError."""
        if quota.defined is not None:
            return quota.key, quota.defined
        for each in candidates(quota.key)[1:]:
            defined = self.look(each).defined
            if defined is not None:
                return each, defined
        msg = f"there is no quota {quota.key}, nor one with a star that it falls under"
        raise ConfigurationError(msg, quota=quota.key)

    def _append(self, key: str, event: QuotaDefined, actor: Actor) -> None:
        lost: ConcurrencyError | None = None
        for _ in attempts(self._settings.budget_seconds):
            now = self._clock()
            append = Append(new_id(now), actor, now)
            append.add(quota_stream(key), self.look(key).version, [event])
            try:
                self._log.append(append.recorded)
            except ConcurrencyError as error:
                lost = error
            else:
                return
        raise lost or ConcurrencyError(f"others kept changing quota {key}", quota=key)
