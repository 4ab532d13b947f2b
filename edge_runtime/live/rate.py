"""How many a second."""

from collections import deque

_SECONDS = 3.0


class Rate:
    """A rate over the last seconds."""

    def __init__(self) -> None:
        """Start with none."""
        self._times: deque[float] = deque()

    def add(self, now: float) -> None:
        """Count one; times only grow."""
        self._times.append(now)
        self._forget(now)

    def per_second(self, now: float) -> float:
        """Return the rate; it falls when nothing comes any more."""
        self._forget(now)
        times = self._times
        return (len(times) - 1) / (now - times[0]) if len(times) > 1 and now > times[0] else 0.0

    def _forget(self, now: float) -> None:
        while self._times and self._times[0] < now - _SECONDS:
            self._times.popleft()
