"""Candidates, and the values of the options that choose them."""

import click
import pytest

from edgeclf.benchmarks.fit.candidates import (
    architecture_options,
    budget_option,
    input_sizes,
    make_candidates,
    parse_budget,
)
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.models.networks.architectures import ARCHITECTURES, architecture


@pytest.mark.parametrize(
    ("text", "ms"),
    [("20ms", 20), ("20 ms", 20), ("0.02s", 20), ("1500us", 1.5), ("1500µs", 1.5), (".5s", 500)],
)
def test_a_budget_is_a_number_with_its_unit(text: str, ms: float) -> None:
    assert parse_budget(text) == pytest.approx(ms)


@pytest.mark.parametrize(
    "text", ["20", "20 fortnights", "ms", "-5ms", "0ms", "nan ms", "1e3ms", "²ms", "9" * 400 + "s"]
)
def test_what_is_no_budget_is_refused_with_the_units(text: str) -> None:
    with pytest.raises(EdgeclfError, match="with a unit, us, ms or s, as 20ms"):
        parse_budget(text)
    with pytest.raises(click.BadParameter, match="as 20ms"):
        budget_option(None, None, text)


def test_an_architecture_is_tried_at_its_own_size_and_at_smaller_ones() -> None:
    assert input_sizes(architecture("efficientnet-lite0")) == (128, 160, 192, 224)
    assert input_sizes(architecture("efficientnet-lite2")) == (144, 192, 224, 260)
    assert input_sizes(architecture("densenet-tiny")) == (16, 32)


def test_without_a_choice_all_with_imagenet_weights_are_candidates() -> None:
    found = make_candidates((), ())
    without = {"densenet-small", "densenet-tiny"}
    assert {one.architecture for one in found} == set(ARCHITECTURES) - without
    assert {one.weights for one in found} == {"imagenet"}
    assert len({one.name for one in found}) == len(found)


def test_chosen_architectures_and_sizes() -> None:
    choices = architecture_options(None, None, ["densenet-tiny=none", "resnet50v2=w.h5"])
    found = make_candidates(choices, (48, 24, 48))
    assert [(one.name, one.weights) for one in found] == [
        ("densenet-tiny-24", "none"),
        ("densenet-tiny-48", "none"),
        ("resnet50v2-48", "w.h5"),  # which needs 32 pixels
    ]
    slim = make_candidates(choices[:1], (24, 48), (0.5, 1.0, 0.75, 0.5))
    assert [(one.name, one.keep) for one in slim] == [
        ("densenet-tiny-24", 1.0),
        ("densenet-tiny-24-keep-0.75", 0.75),
        ("densenet-tiny-24-keep-0.5", 0.5),
        ("densenet-tiny-48", 1.0),
        ("densenet-tiny-48-keep-0.75", 0.75),
        ("densenet-tiny-48-keep-0.5", 0.5),
    ]
    alike = make_candidates(choices[:1], (24,), (1 / 3, 0.3333333, 0.99999999))
    assert [(one.name, one.keep) for one in alike] == [
        ("densenet-tiny-24", 1.0),
        ("densenet-tiny-24-keep-0.333333", 0.333333),
    ]
    with pytest.raises(EdgeclfError, match="--input-size 20 is too small"):
        make_candidates([choices[1]], (20,))
    with pytest.raises(EdgeclfError, match="resnet50v2 is given twice"):
        make_candidates([choices[1], choices[1]], ())
    with pytest.raises(click.BadParameter, match="unknown architecture 'densenet'"):
        architecture_options(None, None, ["densenet"])
