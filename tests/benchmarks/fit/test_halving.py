"""Successive halving and the front, as functions of numbers."""

import pytest

from edgeclf.benchmarks.fit.halving import (
    has_time,
    pareto_front,
    promoted,
    rung_counts,
    rung_epochs,
    seconds_left,
)


@pytest.mark.parametrize(
    ("epochs", "head", "expected"),
    [
        (15, 15, (15, 19, 30)),  # the head alone, a quarter of the whole network's epochs, all
        (16, 0, (1, 4, 16)),
        (1, 0, (1, 1, 1)),
        (0, 15, (15, 15, 15)),  # heads alone
    ],
)
def test_each_rung_trains_several_times_as_long(
    epochs: int, head: int, expected: tuple[int, ...]
) -> None:
    assert rung_epochs(epochs, head_epochs=head) == expected


def test_the_best_third_goes_on_but_three_where_there_are_so_many() -> None:
    losses = {f"c{i}": loss for i, loss in enumerate((0.5, 0.2, 0.9, 0.1, 0.4, 0.3, 0.8, 0.7, 0.6))}
    assert promoted(losses) == ["c3", "c1", "c5"]
    assert promoted({"a": 2.0, "b": 1.0}) == ["b", "a"]
    assert len(promoted({f"c{i}": i for i in range(20)})) == 7


@pytest.mark.parametrize(("first", "expected"), [(20, [20, 7, 3]), (9, [9, 3, 3]), (2, [2, 2, 2])])
def test_how_many_each_rung_trains(first: int, expected: list[int]) -> None:
    assert rung_counts(first) == expected


def test_a_rung_ends_with_its_share_of_the_time_but_trains_one_in_any_case() -> None:
    assert has_time(0, [], spent_s=10_000, limit_s=3600)
    assert has_time(0, [60.0], spent_s=1500, limit_s=3600)
    assert not has_time(0, [60.0], spent_s=1570, limit_s=3600)  # the next would end after 1620
    assert has_time(2, [60.0], spent_s=3530, limit_s=3600)
    assert not has_time(2, [60.0, 100.0], spent_s=3530, limit_s=3600)


def test_the_time_left_is_the_mean_of_what_was_seen_and_no_more_than_the_limit() -> None:
    nothing: list[list[float]] = [[], [], []]
    assert seconds_left([4, 2, 1], nothing, spent_s=0, limit_s=3600) is None
    # Three more of 10 s, then two of 20 s and one of 40 s.
    assert seconds_left([4, 2, 1], [[10], [], []], spent_s=10, limit_s=3600) == 30 + 40 + 40
    assert seconds_left([4, 2, 1], [[10] * 4, [30, 50], []], spent_s=120, limit_s=3600) == 80
    assert seconds_left([4, 2, 1], [[10], [], []], spent_s=3500, limit_s=3600) == 100
    assert seconds_left([4, 2, 1], [[10], [], []], spent_s=4000, limit_s=3600) == 0


def test_the_front_holds_what_no_other_beats() -> None:
    points = [(5.0, 0.9), (1.0, 0.7), (2.0, 0.7), (3.0, 0.95), (1.0, 0.8)]
    assert pareto_front(points) == [4, 3]
    assert pareto_front([(2.0, 0.5)]) == [0]
    assert pareto_front([]) == []
