"""What became of a camera's frames, and how the camera is: it follows from when things happened."""

from dataclasses import dataclass, replace

from ..observation import SourceCounts, SourceHealth, SourceState
from ..rate import Rate
from .capture import CaptureError, DamagedError, EndError, LateError, RefusedError

# So many frames in a row that only the decoder refuses make a camera stale.
_ENOUGH_UNDECODABLE = 3


@dataclass(frozen=True)
class Patience:
    """How long a camera is waited for, in seconds.

    Attributes:
        deadline_s: for a connection, and for a frame.
        grace_s: more for a library that does not keep to the deadline, before it is abandoned.
        stale_s: without a whole frame, until the camera counts as stale.
        dead_s: without a whole frame, until it counts as dead.
        frozen_s: of one and the same picture, until it counts as frozen; 0 is never. After twice
            that the connection is made anew.
        first_wait_s: before the first attempt to reconnect; it doubles with each failure.
        longest_wait_s: between two attempts.
        attempts_a_minute: the most attempts to connect in a minute.
    """

    deadline_s: float = 5.0
    grace_s: float = 0.5
    stale_s: float = 1.0
    dead_s: float = 30.0
    frozen_s: float = 10.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 15.0
    attempts_a_minute: int = 12


class HealthTracker:
    """Keeps count of a source; whoever calls it from several threads holds a lock.

    Each frame is counted once, when its fate is known: received is what was classified, replaced
    or frozen, and at the end the frame that nobody took.

    Attributes:
        counts: what came so far.
        ended: whether the source is over.
    """

    def __init__(self, name: str, patience: Patience, now: float) -> None:
        """Begin at `now`, not connected; all times are of one clock."""
        self.counts = SourceCounts()
        self.ended = False
        self._name = name
        self._patience = patience
        self._rate = Rate()
        self._started = now
        self._connected_at: float | None = None
        self._good_at: float | None = None
        self._live_since = now
        self._lost_at = now
        self._reason = ""
        self._refused = False
        self._damage = ""
        self._undecodable = 0
        self._undecodable_since = now
        self._undecodable_damage = ""
        self._same_since = now
        self._frozen = False

    def count(self, **more: int) -> None:
        """Add to the counts of these names."""
        counts = {name: getattr(self.counts, name) + count for name, count in more.items()}
        self.counts = replace(self.counts, **counts)

    def connected(self, now: float) -> None:
        """Note that a connection was made."""
        self._connected_at = now
        self._refused = False
        self.count(connects=1)

    def lost(self, error: CaptureError, now: float) -> None:
        """Note that a connection was lost, or could not be made."""
        self.ended = isinstance(error, EndError)
        was_connected = self._connected_at is not None and not self.ended
        self._reason, self._lost_at, self._connected_at = str(error), now, None
        self._refused = isinstance(error, RefusedError)
        self.count(
            timeouts=isinstance(error, LateError), disconnects=was_connected, damaged=error.damaged
        )

    def damaged(self, error: DamagedError) -> None:
        """Note a frame that came, but not whole."""
        self._damage = str(error)
        self.count(damaged=error.damaged)

    def undecodable(self, error: DamagedError, now: float) -> None:
        """Note a frame that had seemed whole."""
        self.damaged(error)
        if self._undecodable == 0:
            self._undecodable_since = now
        self._undecodable += 1
        self._undecodable_damage = str(error)  # frames that seem whole still come

    def decoded(self) -> int:
        """Note that a frame became a picture; return its number."""
        self._undecodable = 0
        self.count(received=1)
        return self.counts.received - 1

    def is_frozen(self, *, same: bool, now: float) -> bool:
        """Note a frame, the same picture as the last or not; tell whether it counts as frozen."""
        self._rate.add(now)
        if not same:
            self._same_since = now
        self._frozen = 0 < self._patience.frozen_s < now - self._same_since
        if self._frozen:
            self.count(received=1, frozen=1)
        return self._frozen

    def frozen_too_long(self, now: float) -> bool:
        """Tell whether a new connection should be tried for a picture that does not change."""
        since = max(self._same_since, self._connected_at or now)
        return now - since > 2 * self._patience.frozen_s

    def good(self, now: float) -> None:
        """Note a frame that is worth classifying."""
        if self._state(now)[0] is not SourceState.LIVE:
            self._live_since = now
        self._good_at, self._damage = now, ""

    def health(self, now: float) -> SourceHealth:
        """Return how the source is."""
        state, since, reason = self._state(now)
        fps = self._rate.per_second(now)
        return SourceHealth(self._name, state, since, reason, fps, self.counts)

    def _state(self, now: float) -> tuple[SourceState, float, str]:
        if self.ended or self._refused:
            return SourceState.DEAD, self._lost_at, self._reason
        seen_at = self._started if self._good_at is None else self._good_at
        connected_at = self._connected_at
        if connected_at is None:
            stale_at, reason = now, self._reason
        else:
            stale_at, reason = self._stale_at(max(seen_at, connected_at))
        if now - seen_at > self._patience.dead_s:
            return SourceState.DEAD, seen_at + self._patience.dead_s, reason
        if connected_at is not None:
            if now >= stale_at:
                return SourceState.STALE, stale_at, reason
            if self._good_at is not None and self._good_at >= connected_at:
                return SourceState.LIVE, self._live_since, ""
        if self._good_at is None:
            return SourceState.CONNECTING, self._started, self._reason
        return SourceState.RECONNECTING, self._lost_at, self._reason

    def _stale_at(self, heard_at: float) -> tuple[float, str]:
        """Return when the source counts as stale unless a good frame comes, and why."""
        if self._frozen:
            return self._same_since + self._patience.frozen_s, "the picture is frozen"
        if self._undecodable >= _ENOUGH_UNDECODABLE:
            return self._undecodable_since, f"nothing but damage: {self._undecodable_damage}"
        reason = f"nothing but damage: {self._damage}" if self._damage else "no frame comes"
        return heard_at + self._patience.stale_s, reason
