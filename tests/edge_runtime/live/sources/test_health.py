"""How a camera is, at each moment of a story; and how long to wait before it is asked again."""

import pytest

from edgeclf.edge_runtime.live.observation import SourceCounts
from edgeclf.edge_runtime.live.rate import Rate
from edgeclf.edge_runtime.live.sources.back_off import BackOff
from edgeclf.edge_runtime.live.sources.capture import (
    DamagedError,
    EndError,
    LateError,
    LostError,
    RefusedError,
)
from edgeclf.edge_runtime.live.sources.health import HealthTracker, Patience

PATIENCE = Patience(stale_s=1, dead_s=30, frozen_s=10)
DAMAGE = DamagedError("a damaged frame (cut short)", damaged=1)


def tracker_at(now: float = 100.0) -> HealthTracker:
    return HealthTracker("camera", PATIENCE, now)


def frame(tracker: HealthTracker, now: float, *, same: bool = False) -> None:
    if not tracker.is_frozen(same=same, now=now):
        tracker.good(now)
        tracker.decoded()


def state(tracker: HealthTracker, now: float) -> tuple[str, float, str]:
    health = tracker.health(now)
    return health.state.value, health.since, health.reason


def test_it_connects_and_is_live_with_the_first_frame() -> None:
    tracker = tracker_at(100)
    assert state(tracker, 100.5) == ("connecting", 100, "")
    tracker.connected(101)
    assert state(tracker, 101.5) == ("connecting", 100, "")
    frame(tracker, 101.7)
    assert state(tracker, 101.8) == ("live", 101.7, "")
    frame(tracker, 102)
    assert state(tracker, 102.5) == ("live", 101.7, "")


def test_a_silent_camera_is_stale_then_dead_and_live_again() -> None:
    tracker = tracker_at(100)
    tracker.connected(100)
    frame(tracker, 100)
    assert state(tracker, 101.5) == ("stale", 101, "no frame comes")
    assert state(tracker, 131) == ("dead", 130, "no frame comes")
    frame(tracker, 132)
    assert state(tracker, 132.1) == ("live", 132, "")


def test_one_that_never_sends_a_frame_is_stale_too() -> None:
    tracker = tracker_at(100)
    tracker.connected(105)
    assert state(tracker, 105.5)[0] == "connecting"
    assert state(tracker, 106.5) == ("stale", 106, "no frame comes")


def test_a_lost_connection_is_named_until_the_next_frame() -> None:
    tracker = tracker_at(100)
    tracker.connected(100)
    frame(tracker, 100)
    tracker.lost(LostError("the cable"), 103)
    assert state(tracker, 103) == ("reconnecting", 103, "the cable")
    tracker.connected(104)
    assert state(tracker, 104.5) == ("reconnecting", 103, "the cable")
    frame(tracker, 104.6)
    assert state(tracker, 105) == ("live", 104.6, "")
    assert tracker.counts == SourceCounts(received=2, disconnects=1, connects=2)


def test_one_that_stays_away_is_dead_with_its_reason() -> None:
    tracker = tracker_at(100)
    tracker.lost(LostError("no such host"), 101)
    assert state(tracker, 102) == ("connecting", 100, "no such host")
    assert state(tracker, 131) == ("dead", 130, "no such host")


def test_one_that_refuses_is_dead_at_once() -> None:
    tracker = tracker_at(100)
    tracker.lost(RefusedError("403 Forbidden"), 101)
    assert state(tracker, 101) == ("dead", 101, "403 Forbidden")
    tracker.connected(120)
    frame(tracker, 120)
    assert state(tracker, 120)[0] == "live"


def test_the_end_is_no_disconnect() -> None:
    tracker = tracker_at(100)
    tracker.connected(100)
    frame(tracker, 100)
    tracker.lost(EndError("the end of the video"), 103)
    assert tracker.ended
    assert state(tracker, 103) == ("dead", 103, "the end of the video")
    assert tracker.counts == SourceCounts(received=1, connects=1)


def test_failures_are_counted_by_their_kind() -> None:
    tracker = tracker_at(100)
    tracker.lost(LateError("no answer"), 105)
    tracker.connected(106)
    tracker.lost(LateError("no frame", damaged=1), 111)
    tracker.connected(112)
    tracker.lost(LostError("closed", damaged=1), 113)
    tracker.damaged(DAMAGE)
    assert tracker.counts == SourceCounts(damaged=3, timeouts=2, disconnects=2, connects=2)


def test_the_very_same_picture_for_too_long_is_frozen() -> None:
    tracker = tracker_at(100)
    tracker.connected(100)
    frame(tracker, 100)
    for now in range(101, 111):
        frame(tracker, now, same=True)
    assert state(tracker, 110.5)[0] == "live"  # a still scene so far
    frame(tracker, 111, same=True)
    assert state(tracker, 111) == ("stale", 110, "the picture is frozen")
    assert tracker.counts == SourceCounts(received=12, frozen=1, connects=1)
    assert not tracker.frozen_too_long(119)
    assert tracker.frozen_too_long(121)
    frame(tracker, 122)
    assert state(tracker, 122)[0] == "live"


def test_a_new_connection_gets_its_time_although_the_picture_is_the_same() -> None:
    tracker = tracker_at(100)
    tracker.connected(100)
    frame(tracker, 100)
    tracker.connected(121)
    frame(tracker, 122, same=True)
    assert state(tracker, 122)[0] == "stale"
    assert not tracker.frozen_too_long(122)
    assert tracker.frozen_too_long(142)


def test_zero_is_never_frozen() -> None:
    tracker = HealthTracker("camera", Patience(frozen_s=0), 0)
    tracker.connected(0)
    for now in range(1000):
        frame(tracker, now, same=now > 0)
    assert tracker.counts.frozen == 0
    assert state(tracker, 999.5)[0] == "live"


def test_nothing_but_damage_is_stale() -> None:
    tracker = tracker_at(100)
    tracker.connected(100)
    frame(tracker, 100)
    for now in (100.4, 100.8, 101.2):
        tracker.damaged(DAMAGE)
        health = state(tracker, now)
    assert health == ("stale", 101, "nothing but damage: a damaged frame (cut short)")


def test_frames_that_only_the_decoder_refuses_do_not_make_a_camera_live() -> None:
    tracker = tracker_at(100)
    tracker.connected(100)
    for now in (100.0, 100.1, 100.2, 100.3):
        assert not tracker.is_frozen(same=False, now=now)
        tracker.good(now)
        tracker.undecodable(DAMAGE, now)
    tracker.good(100.3)  # the next seems whole, too: the reason stays
    assert state(tracker, 100.3) == (
        "stale", 100, "nothing but damage: a damaged frame (cut short)",
    )  # fmt: skip
    frame(tracker, 100.4)
    assert state(tracker, 100.4)[0] == "live"
    assert tracker.counts == SourceCounts(received=1, damaged=4, connects=1)


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.per_second(0) == 0
    for tick in range(100):
        rate.add(tick / 25)
    assert rate.per_second(99 / 25) == pytest.approx(25)
    assert 0 < rate.per_second(5) < 20
    assert rate.per_second(8) == 0


def test_waits_double_up_to_the_longest_and_are_jittered() -> None:
    back_off = BackOff(first_s=0.5, longest_s=8, attempts_a_minute=100, seed=0)
    waits = [back_off.next_attempt(1000) - 1000 for _ in range(50)]
    for wait, longest in zip(waits, [0.5, 1, 2, 4] + [8] * 46, strict=True):
        assert longest / 2 <= wait <= longest
    assert len(set(waits[5:])) == 45
    back_off.succeeded()
    assert back_off.next_attempt(1000) - 1000 <= 0.5


def test_no_more_attempts_a_minute_than_agreed() -> None:
    back_off = BackOff(first_s=0.1, longest_s=1, attempts_a_minute=12, seed=0)
    now, attempts = 1000.0, []
    while len(attempts) < 60:
        attempts.append(now)
        back_off.attempted(now)
        back_off.succeeded()
        now = back_off.next_attempt(now)
    for first in attempts:
        assert sum(first <= attempt < first + 60 for attempt in attempts) <= 12
    assert attempts[11] - attempts[0] < 12
