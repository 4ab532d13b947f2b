"""What a fit measures and trains, in which order, and what it does not do twice."""

import json

import numpy as np
import pytest

from edgeclf.benchmarks.fit.results import FIT_NAME, Fit
from edgeclf.edge_runtime.errors import EdgeclfError


def outcomes(fit: Fit) -> dict[str, str]:
    return {one.candidate.name: f"{one.outcome} {one.reason}".strip() for one in fit.trials}


def test_only_what_fits_is_trained_and_the_best_goes_on(simulation) -> None:
    for i, ms in enumerate((1.0, 2.0, 3.0, 4.0, 5.0, 5.1)):
        simulation.add(f"net{i}-224", ms=ms, loss=abs(ms - 3))
    fit = simulation.run(budget_ms=5.0)
    assert outcomes(fit) == {
        "net0-224": "behind in rung 1", "net1-224": "finished", "net2-224": "finished",
        "net3-224": "finished", "net4-224": "behind in rung 1", "net5-224": "over budget",
    }  # fmt: skip
    trained = [(name, epochs) for step, name, epochs in simulation.asked if step == "train"]
    # The slowest first, then the best first; the head, then a quarter of the whole network.
    first = ["net4-224", "net3-224", "net2-224", "net1-224", "net0-224"]
    assert trained[:5] == [(name, 15) for name in first]
    assert trained[5:] == [("net2-224", 19), ("net3-224", 19), ("net1-224", 19)]
    assert fit.recommended == "net2-224"
    assert fit.is_over
    assert fit.command is not None
    assert fit.command.startswith("edgeclf train photographs --out run --arch net2 --input-size")


def test_larger_inputs_of_what_is_too_slow_are_not_measured(simulation) -> None:
    for size, ms in ((128, 4.0), (160, 6.0), (192, 8.0), (224, 10.0)):
        simulation.add(f"net-{size}", ms=ms)
    fit = simulation.run(budget_ms=5.0)
    assert [name for step, name, _ in simulation.asked if step == "measure"] == [
        "net-128", "net-160",
    ]  # fmt: skip
    assert outcomes(fit) == {
        "net-128": "finished", "net-160": "over budget",
        "net-192": "over budget as net-160", "net-224": "over budget as net-160",
    }  # fmt: skip


def test_of_what_is_too_slow_whole_the_widest_slim_network_that_fits_is_trained(simulation) -> None:
    for size, whole in ((96, 4.0), (128, 6.0), (160, 9.0), (192, 12.0)):
        for keep in (1, 0.75, 0.5):
            name = f"net-{size}" if keep == 1 else f"net-{size}-keep-{keep}"
            simulation.add(name, ms=whole * keep, loss=1 / whole)
    fit = simulation.run(budget_ms=5.0)
    assert [name for step, name, _ in simulation.asked if step == "measure"] == [
        "net-96", "net-128", "net-128-keep-0.75", "net-160-keep-0.75", "net-160-keep-0.5",
        "net-192-keep-0.5",
    ]  # fmt: skip
    assert outcomes(fit) == {
        "net-96": "finished",
        "net-96-keep-0.75": "not needed as net-96 is fast enough",
        "net-96-keep-0.5": "not needed as net-96 is fast enough",
        "net-128": "over budget",
        "net-128-keep-0.75": "finished",
        "net-128-keep-0.5": "not needed as net-128-keep-0.75 is fast enough",
        "net-160": "over budget as net-128",
        "net-160-keep-0.75": "over budget",
        "net-160-keep-0.5": "finished",
        "net-192": "over budget as net-128",
        "net-192-keep-0.75": "over budget as net-160-keep-0.75",
        "net-192-keep-0.5": "over budget",
    }
    assert fit.recommended == "net-160-keep-0.5"
    assert fit.command is not None
    assert (
        " && edgeclf slim run --out slim --keep 0.5 && edgeclf convert slim --out " in fit.command
    )


def test_a_larger_budget_keeps_the_slim_file_that_is_known(simulation) -> None:
    for name, ms in (("net-160", 9.0), ("net-160-keep-0.75", 7.0), ("net-160-keep-0.5", 4.0)):
        simulation.add(name, ms=ms, loss=ms)
    assert simulation.run(budget_ms=5.0).recommended == "net-160-keep-0.5"
    fit = simulation.run(budget_ms=10.0)
    assert outcomes(fit) == {
        "net-160": "finished",
        "net-160-keep-0.75": "not needed as net-160 is fast enough",
        "net-160-keep-0.5": "finished",
    }
    assert fit.recommended == "net-160-keep-0.5"  # whose loss is lower
    assert [name for _, name, _ in simulation.asked] == ["net-160"] * 3


def test_after_a_file_that_came_out_too_slow_a_smaller_share_is_tried(simulation) -> None:
    for name, ms in (
        ("net-96", 4.0), ("net-160", 4.9), ("net-160-keep-0.75", 4.5), ("net-160-keep-0.5", 3.0),
        ("net-160-keep-0.25", 2.0),
    ):  # fmt: skip
        simulation.add(name, ms=ms, loss=1 / ms)
    simulation.file_ms = {"net-160": 5.1, "net-160-keep-0.75": 5.2}
    fit = simulation.run(budget_ms=5.0)
    assert outcomes(fit) == {
        "net-96": "finished",
        "net-160": "over budget",
        "net-160-keep-0.75": "over budget",
        "net-160-keep-0.5": "finished",
        "net-160-keep-0.25": "not needed as net-160-keep-0.5 is fast enough",
    }
    assert fit.recommended == "net-96"
    assert len(simulation.asked) == len(set(simulation.asked))  # nothing twice
    assert simulation.run(budget_ms=5.0) == fit
    assert simulation.asked == []


def test_a_share_that_fails_after_a_slow_file_ends_the_search(simulation) -> None:
    for name in ("net-96", "net-160", "net-160-keep-0.5", "net-160-keep-0.25"):
        simulation.add(name, ms=4.0)
    simulation.file_ms = {"net-160": 5.1}
    simulation.broken["net-160-keep-0.5"] = "no such channel"
    assert outcomes(simulation.run(budget_ms=5.0)) == {
        "net-96": "finished",
        "net-160": "over budget",
        "net-160-keep-0.5": "failed no such channel",
        "net-160-keep-0.25": "finished",
    }


def test_what_cannot_be_had_is_not_slimmed(simulation) -> None:
    for name in (
        "gone-96", "gone-96-keep-0.5", "gone-128", "stiff-96", "stiff-96-keep-0.5",
        "stiff-96-keep-0.1", "stiff-128", "heavy-96", "heavy-96-keep-0.5", "net-96",
    ):  # fmt: skip
        simulation.add(name, ms=9.0)
    simulation.ms |= {"net-96": 1.0, "heavy-96-keep-0.5": 2.0}
    simulation.unavailable |= {"gone-96": "no weights", "stiff-96-keep-0.5": "0.6 at least"}
    simulation.broken["heavy-96"] = "the device: out of memory"
    assert outcomes(simulation.run()) == {
        "gone-96": "failed no weights",
        "gone-96-keep-0.5": "failed as gone-96",
        "gone-128": "failed as gone-96",
        "stiff-96": "over budget",
        "stiff-96-keep-0.5": "failed 0.6 at least",
        "stiff-96-keep-0.1": "failed as stiff-96-keep-0.5",
        "stiff-128": "over budget as stiff-96",
        "heavy-96": "failed the device: out of memory",
        "heavy-96-keep-0.5": "finished",
        "net-96": "finished",
    }


def test_a_search_that_was_ended_at_any_step_goes_on_and_ends_the_same(simulation) -> None:
    for i in range(5):
        simulation.add(f"net{i}-224", ms=1.0 + i / 2, loss=i / 10)
    whole = simulation.run()
    steps = simulation.asked
    assert len(steps) == 5 + 5 + 3 + 3
    (simulation.out / FIT_NAME).unlink()
    done = []
    for _ in range(len(steps)):  # one step a call
        simulation.dies_after = 1
        with pytest.raises(KeyboardInterrupt):
            simulation.run()
        assert not json.loads((simulation.out / FIT_NAME).read_text())["is_over"]
        done += simulation.asked
        if len(done) == len(steps) - 1:
            break
    simulation.dies_after = 10_000
    assert simulation.run() == whole
    assert [*done, *simulation.asked] == steps


def test_another_budget_takes_what_is_known(simulation) -> None:
    simulation.add("small-128", ms=2.0, loss=0.5)
    simulation.add("large-224", ms=8.0, loss=0.1)
    assert simulation.run(budget_ms=5.0).recommended == "small-128"
    fit = simulation.run(budget_ms=10.0)
    assert fit.recommended == "large-224"
    assert all(name == "large-224" for _, name, _ in simulation.asked[1:])
    assert ("measure", "small-128", 0) not in simulation.asked


def test_time_runs_out_for_the_last_but_each_rung_has_one(simulation) -> None:
    for i in range(9):
        simulation.add(f"net{i}-224", ms=1.0 + i / 9, loss=i / 10)
    simulation.seconds = 100.0
    # 9 s of measurements and 45 % of 700 s: three heads, the slowest ones.
    fit = simulation.run(seconds=700)
    found = outcomes(fit)
    assert [name for name, outcome in found.items() if outcome == "no time"] == [
        "net0-224", "net1-224", "net2-224", "net3-224", "net4-224", "net5-224", "net7-224",
        "net8-224",
    ]  # fmt: skip
    assert fit.recommended == "net6-224"


def test_what_cannot_be_measured_or_trained_is_left_out_with_its_reason(simulation) -> None:
    simulation.add("gone-128", ms=1.0)
    simulation.add("gone-224", ms=2.0)
    simulation.add("net-224", ms=3.0)
    simulation.broken["gone-128"] = "no weights"
    fit = simulation.run()
    assert outcomes(fit) == {
        "gone-128": "failed no weights", "gone-224": "failed as gone-128",
        "net-224": "finished",
    }  # fmt: skip
    simulation.broken["net-224"] = "no weights either"
    (simulation.out / FIT_NAME).unlink()
    with pytest.raises(EdgeclfError, match=r"measured: no weights; no weights either$"):
        simulation.run()
    for name in ("third-128", "fourth-128"):
        simulation.add(name, ms=1.0)
        simulation.broken[name] = f"{name} has no weights, nor can they be had"
    with pytest.raises(EdgeclfError, match=r"no weights either; and 2 more like these$"):
        simulation.run()


def test_a_budget_that_nothing_meets_names_the_fastest(simulation) -> None:
    simulation.add("net-128", ms=2.0)
    simulation.add("other-128", ms=1.5)
    simulation.add("other-128-keep-0.1", ms=0.5)
    simulation.unavailable["other-128-keep-0.1"] = "0.2 at least"
    with pytest.raises(EdgeclfError) as caught:
        simulation.run(budget_ms=1.0)
    assert str(caught.value) == (
        "no candidate takes 1 ms or less on this machine; the fastest, other-128, takes 1.50 ms: "
        "give a larger --budget, a smaller --input-size, or --keep with a smaller share "
        "(other-128-keep-0.1 failed: 0.2 at least)"
    )


def test_a_file_that_came_out_slower_than_the_budget_is_not_recommended(simulation) -> None:
    simulation.add("net-224", ms=4.9, loss=0.1)
    simulation.add("other-224", ms=1.0, loss=0.5)
    simulation.file_ms["net-224"] = 5.1
    fit = simulation.run()
    assert outcomes(fit) == {"net-224": "over budget", "other-224": "finished"}
    assert fit.recommended == "other-224"


def test_a_file_that_came_out_faster_than_its_untrained_network_counts(simulation) -> None:
    simulation.add("net-224", ms=5.5, loss=0.1)
    simulation.file_ms["net-224"] = 4.9
    simulation.run(budget_ms=6.0)
    fit = simulation.run(budget_ms=5.0)
    assert outcomes(fit) == {"net-224": "finished"}
    assert fit.recommended == "net-224"


def test_a_slow_file_without_another_ends_without_an_answer(simulation) -> None:
    simulation.add("net-224", ms=4.0)
    simulation.add("net-224-keep-0.5", ms=3.0)
    simulation.file_ms["net-224"] = 9.0
    simulation.broken["net-224-keep-0.5"] = "no such channel"
    fit = simulation.run(budget_ms=5.0)
    assert outcomes(fit) == {
        "net-224": "over budget",
        "net-224-keep-0.5": "failed no such channel",
    }
    assert fit.recommended is None
    with pytest.raises(EdgeclfError, match=r"the fastest, net-224, takes 9\.00 ms"):
        simulation.run(budget_ms=5.0)


def test_a_busy_machine_is_warned_of_before_anything_is_trained(
    simulation, capsys: pytest.CaptureFixture[str]
) -> None:
    simulation.add("net-128", ms=1.0)
    simulation.run()
    assert capsys.readouterr().err == ""
    simulation.background_load = 1.5
    (simulation.out / FIT_NAME).unlink()
    simulation.run()
    assert "Warning: other processes kept up to 1.5 cores busy" in capsys.readouterr().err


@pytest.mark.parametrize("seed", range(8))
def test_any_search_ends_with_what_it_found_and_does_nothing_twice(simulation, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shares = sorted(rng.choice([0.9, 0.75, 0.5, 0.25], rng.integers(3), replace=False))[::-1]
    for net in ("one", "two"):
        pace = rng.uniform(1, 4)
        for size in (96, 128, 160):
            for keep in (1, *shares):
                name = f"{net}-{size}" if keep == 1 else f"{net}-{size}-keep-{keep}"
                ms = pace * (size / 96) ** 2 * keep * rng.uniform(0.9, 1.1)
                simulation.add(name, ms=ms, loss=rng.uniform(0.1, 1))
                if rng.random() < 0.3:
                    simulation.file_ms[name] = ms * rng.uniform(0.8, 1.3)
                if rng.random() < 0.1:
                    simulation.unavailable[name] = "no weights"
    simulation.add("small-96", ms=0.5)
    for budget_ms in rng.choice([2.0, 4.0, 6.0], 3).tolist():
        fit = simulation.run(budget_ms=budget_ms)
        assert len(simulation.asked) == len(set(simulation.asked))
        finished = dict(fit.finished)
        fast = [n for n, done in finished.items() if done.latency.p50_ms.value <= budget_ms]
        assert fit.recommended in fast
        assert {n: o for n, o in outcomes(fit).items() if n in finished} == {
            name: "finished" if name in fast else "over budget" for name in finished
        }
        assert simulation.run(budget_ms=budget_ms) == fit
        assert simulation.asked == []
