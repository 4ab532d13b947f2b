"""The options that decide a label, as a command gets them."""

from typing import Any

import click
import pytest
from click.testing import CliRunner
from live_news import LABELS

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.live.decision_options import (
    DecisionOptions,
    decision_config,
    decision_options,
)
from edgeclf.edge_runtime.live.decisions import Decider, DecisionConfig


@click.command()
@click.argument("word")
@decision_options
@click.option("--threshold", default=0.25)
def live(word: str, threshold: float, **values: Any) -> None:
    """A command with options of its own before and after."""
    click.echo(f"{word} {threshold}")
    got.append(DecisionOptions.of(values))


got: list[DecisionOptions] = []


def options_of(*arguments: str) -> DecisionOptions:
    result = CliRunner().invoke(live, ["word", *arguments])
    assert result.exit_code == 0, result.output
    assert result.output == "word 0.25\n"
    return got.pop()


def test_without_options() -> None:
    assert options_of() == DecisionOptions()


def test_all_options() -> None:
    options = options_of(
        "--vote", "3/5", "--min-duration", "0.5",
        "--class-threshold", "oil=0.7", "--class-threshold", "a=b=1",
    )  # fmt: skip
    assert options == DecisionOptions(
        smooth=None, vote=(3, 5), min_duration=0.5,
        class_threshold=(("oil", 0.7), ("a=b", 1.0)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("option", "value", "mend"),
    [
        ("--vote", "5/3", "give K/N with 1 <= K <= N, such as 3/5"),
        ("--vote", "most", "give K/N with 1 <= K <= N, such as 3/5"),
        ("--class-threshold", "oil", "LABEL=0.8"),
        ("--class-threshold", "oil=2", "a score from 0 to 1"),
        ("--class-threshold", "oil=nan", "a score from 0 to 1"),
        ("--smooth", "-1", "x>=0"),
    ],
)
def test_values_that_are_refused(option: str, value: str, mend: str) -> None:
    result = CliRunner().invoke(live, ["word", option, value])
    assert result.exit_code == 2
    assert option in result.output
    assert mend in " ".join(result.output.split())


def test_thresholds_of_the_model_and_of_the_command_line() -> None:
    options = options_of("--class-threshold", "oil=0.7")
    config = decision_config(options, threshold=0.4, thresholds={"oil": 0.2, "scratch": 0.3})
    assert config == DecisionConfig(
        threshold=0.4, class_thresholds={"oil": 0.7, "scratch": 0.3}, smooth_s=0.5, unknown_s=1.0
    )
    assert decision_config(options, threshold=0.4, thresholds=None).class_thresholds == {"oil": 0.7}


def test_smoothing_or_a_vote() -> None:
    def config(*arguments: str) -> DecisionConfig:
        return decision_config(options_of(*arguments), threshold=0, thresholds=None)

    assert config("--vote", "2/3").smooth_s == 0
    assert config("--smooth", "0").smooth_s == 0
    assert config("--smooth", "2").smooth_s == 2
    with pytest.raises(EdgeclfError, match="exclude each other"):
        config("--smooth", "2", "--vote", "2/3")
    with pytest.raises(EdgeclfError, match="'dent', which is no class"):
        Decider(LABELS, config("--class-threshold", "dent=1"))
