"""The three ways from a photograph to the model's input."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.edge_runtime.preprocess import RESIZE_RULES, ResizeRule, preprocess

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def plain(height: int, width: int, colour: tuple[int, ...] = WHITE) -> NDArray[np.uint8]:
    return np.full((height, width, 3), colour, np.uint8)


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("rule", RESIZE_RULES)
@pytest.mark.parametrize("size_hw", [(32, 32), (20, 30), (1, 1)])
@pytest.mark.parametrize(
    "shape_hw",
    [(1, 1), (1, 500), (500, 1), (3, 2), (31, 33), (64, 64), (100, 37), (1, 40000), (40000, 1)],
)
def test_shape_and_type(
    rule: ResizeRule, size_hw: tuple[int, int], shape_hw: tuple[int, int]
) -> None:
    out = preprocess(plain(*shape_hw), size_hw=size_hw, rule=rule)
    assert out.shape == (*size_hw, 3)
    assert out.dtype == np.uint8
    if rule != "pad":
        assert (out == 255).all()
    else:
        assert out.max() == 255


@pytest.mark.parametrize("rule", RESIZE_RULES)
def test_the_right_size_stays_as_it_is(rule: ResizeRule) -> None:
    rgb = noise(24, 40)
    before = rgb.copy()
    np.testing.assert_array_equal(preprocess(rgb, size_hw=(24, 40), rule=rule), before)
    np.testing.assert_array_equal(rgb, before)


@pytest.mark.parametrize("rule", RESIZE_RULES)
def test_the_same_shape_is_only_scaled(rule: ResizeRule) -> None:
    rgb = noise(48, 80)
    stretched = preprocess(rgb, size_hw=(24, 40), rule="stretch")
    np.testing.assert_array_equal(preprocess(rgb, size_hw=(24, 40), rule=rule), stretched)


def test_crop_keeps_the_centre() -> None:
    wide = np.hstack([plain(40, 30, RED), plain(40, 40, GREEN), plain(40, 30, BLUE)])
    assert (preprocess(wide, size_hw=(20, 20), rule="crop") == GREEN).all()
    tall = wide.transpose(1, 0, 2)
    assert (preprocess(tall, size_hw=(20, 20), rule="crop") == GREEN).all()


def test_crop_keeps_the_whole_of_the_shorter_side() -> None:
    halves = np.vstack([plain(20, 100, RED), plain(20, 100, BLUE)])
    out = preprocess(halves, size_hw=(20, 20), rule="crop")
    assert (out[:10] == RED).all()
    assert (out[10:] == BLUE).all()


def test_pad_keeps_everything_between_black_borders() -> None:
    wide = np.hstack([plain(40, 40, RED), plain(40, 40, BLUE)])
    out = preprocess(wide, size_hw=(20, 20), rule="pad")
    assert (out[5:15, :10] == RED).all()
    assert (out[5:15, 10:] == BLUE).all()
    assert not out[:5].any()
    assert not out[15:].any()

    tall = preprocess(wide.transpose(1, 0, 2), size_hw=(20, 20), rule="pad")
    np.testing.assert_array_equal(tall, out.transpose(1, 0, 2))


def test_stretch_fills_the_input_with_everything() -> None:
    wide = np.hstack([plain(40, 40, RED), plain(40, 40, BLUE)])
    out = preprocess(wide, size_hw=(20, 20), rule="stretch")
    assert (out[:, :10] == RED).all()
    assert (out[:, 10:] == BLUE).all()


def test_height_comes_first() -> None:
    top_and_bottom = np.vstack([plain(60, 40, RED), plain(20, 40, GREEN)])
    out = preprocess(top_and_bottom, size_hw=(40, 10), rule="stretch")
    assert (out[:30] == RED).all()
    assert (out[30:] == GREEN).all()


@pytest.mark.parametrize("times", [1, 2, 3])
def test_halving_averages(times: int) -> None:
    block = 2**times
    rgb = noise(16 * block, 24 * block)
    out = preprocess(rgb, size_hw=(16, 24), rule="stretch")
    means = rgb.reshape(16, block, 24, block, 3).mean((1, 3))
    assert np.abs(out - means).max() <= 0.5 * times


def test_fine_stripes_become_grey() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    out = preprocess(stripes, size_hw=(32, 32), rule="stretch")
    assert np.isin(out, (127, 128)).all()


def test_enlarging_interpolates() -> None:
    ramp = np.hstack([plain(2, 1, (0, 0, 0)), plain(2, 1, (200, 200, 200))])
    row = preprocess(ramp, size_hw=(2, 8), rule="stretch")[0, :, 0].astype(int)
    assert row[0] == 0
    assert row[-1] == 200
    assert len(set(row)) > 2
    assert (np.diff(row) >= 0).all()


@pytest.mark.parametrize("rule", RESIZE_RULES)
@pytest.mark.parametrize("size_hw", [(50, 70), (20, 20)])
def test_views_give_what_their_copies_give(rule: ResizeRule, size_hw: tuple[int, int]) -> None:
    view = noise(50, 70)[::-1, ::-1, ::-1]
    np.testing.assert_array_equal(
        preprocess(view, size_hw=size_hw, rule=rule),
        preprocess(view.copy(), size_hw=size_hw, rule=rule),
    )


@pytest.mark.parametrize(
    ("image", "got"),
    [
        (np.zeros((8, 8, 3), np.float32), r"float32 \(8, 8, 3\)"),
        (np.zeros((8, 8, 3), np.uint16), r"uint16 \(8, 8, 3\)"),
        (np.zeros((8, 8), np.uint8), r"uint8 \(8, 8\)"),
        (np.zeros((8, 8, 4), np.uint8), r"uint8 \(8, 8, 4\)"),
        (np.zeros((8, 8, 1), np.uint8), r"uint8 \(8, 8, 1\)"),
        (np.zeros((1, 8, 8, 3), np.uint8), r"uint8 \(1, 8, 8, 3\)"),
    ],
)
def test_what_is_not_rgb_uint8_is_refused(image: NDArray[np.uint8], got: str) -> None:
    with pytest.raises(ValueError, match=f"expected RGB uint8 .* got {got}"):
        preprocess(image, size_hw=(8, 8), rule="stretch")
