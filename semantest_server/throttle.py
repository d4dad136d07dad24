"""How often something may be done: counts that `limits` keeps, in memory or where all hosts see them."""

import logging
import math
import time
from collections.abc import Callable, Sequence

from limits import RateLimitItem
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

log = logging.getLogger(__name__)

MEMORY = "memory://"


class Throttle:
    """Rates that hold for each key, such as an address or a token. A storage that does not answer stops nobody."""

    def __init__(self, rates: Sequence[RateLimitItem], storage: str = MEMORY) -> None:
        self._rates = rates
        self._windows = MovingWindowRateLimiter(storage_from_string(storage, wrap_exceptions=True))

    def hit(self, *key: str) -> int | None:
        """Count one; if that is one too many, the seconds after which there is room again, at least 1."""
        return self._seconds(self._windows.hit, key)

    def wait(self, *key: str) -> int | None:
        """The same without counting: how long this key has to wait, None if it need not."""
        return self._seconds(self._windows.test, key)

    def _seconds(self, has_room: Callable[..., bool], key: tuple[str, ...]) -> int | None:
        try:
            full = [rate for rate in self._rates if not has_room(rate, *key)]
            resets = [self._windows.get_window_stats(rate, *key).reset_time for rate in full]
        except StorageError as error:
            log.error("The storage of the rate limits does not answer: %s", error)
            return None
        return max(1, math.ceil(max(resets) - time.time())) if resets else None
