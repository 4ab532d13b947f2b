"""Which model to ship, by the one rule of conversions and benchmarks."""

from edgeclf.models.recommendation import Tradeoff, recommended_index


def tradeoff(cost: float, drop: float = 0.0, *, harmless: bool = True, slow: int = 0) -> Tradeoff:
    return Tradeoff(is_harmless=harmless, drop_points=drop, cost=cost, speed_class=slow)


def test_the_cheapest_that_does_no_harm() -> None:
    assert recommended_index([tradeoff(9), tradeoff(5, harmless=False), tradeoff(7, 0.5)]) == 2
    assert recommended_index([tradeoff(5, harmless=False)]) is None
    assert recommended_index([]) is None


def test_a_fast_kind_comes_before_a_cheaper_slow_one() -> None:
    assert recommended_index([tradeoff(1, slow=1), tradeoff(9)]) == 1
    assert recommended_index([tradeoff(1, slow=1), tradeoff(9, harmless=False)]) == 0


def test_what_costs_about_the_same_is_decided_by_the_loss() -> None:
    assert recommended_index([tradeoff(100, 0.5), tradeoff(102, 0.4)]) == 1
    assert recommended_index([tradeoff(100, 0.5), tradeoff(102.1, 0.4)]) == 0
    # Slow ones do not count, and of equals it is the first.
    assert recommended_index([tradeoff(100, 0.5), tradeoff(100, -1, slow=2)]) == 0
    assert recommended_index([tradeoff(100), tradeoff(100)]) == 0
