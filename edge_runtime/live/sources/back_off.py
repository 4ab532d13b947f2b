"""How long to wait before a camera is asked again."""

import random
from collections import deque

_MINUTE = 60.0


class BackOff:
    """Waits that double with each failure, jittered, and never more than so many attempts a minute.

    The jitter keeps a room full of devices from asking a camera that has come back all at once.
    """

    def __init__(
        self,
        *,
        first_s: float,
        longest_s: float,
        attempts_a_minute: int,
        seed: int | None = None,
    ) -> None:
        """Start as after a success; `seed` makes the jitter known."""
        self._first_s = first_s
        self._longest_s = longest_s
        self._attempts_a_minute = attempts_a_minute
        self._random = random.Random(seed)
        self._failures = 0
        self._attempts: deque[float] = deque(maxlen=attempts_a_minute)

    def next_attempt(self, now: float) -> float:
        """Return when to try again after a failure at `now`, of the same clock."""
        longest = min(self._longest_s, self._first_s * 2.0 ** min(self._failures, 30))
        self._failures += 1
        then = now + longest * self._random.uniform(0.5, 1)
        if len(self._attempts) == self._attempts_a_minute:
            then = max(then, self._attempts[0] + _MINUTE)
        return then

    def attempted(self, now: float) -> None:
        """Count an attempt."""
        self._attempts.append(now)

    def succeeded(self) -> None:
        """Start again with the shortest wait."""
        self._failures = 0
