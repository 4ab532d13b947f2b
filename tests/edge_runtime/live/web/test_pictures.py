"""The pictures of the web view: one encoding for all, and nobody slows anybody."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from live_feed import observed, plain
from web_client import PATIENCE_S, decoded, frame, listening, messages, read_parts, request

from edgeclf.edge_runtime.live.web.pictures import LONGEST_SIDE, PictureMaker
from edgeclf.edge_runtime.live.web.view import WebView
from edgeclf.edge_runtime.preprocess import RESIZE_RULES, ResizeRule, preprocess, seen_part


def test_a_picture_is_the_newest_frame(view: WebView) -> None:
    for number, grey in enumerate((10, 120, 230)):
        view.observe(observed(number, bgr=plain(grey)))
    answer = frame(view)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-number"] == "3"
    picture = decoded(answer.body)
    assert picture.shape == (48, 64, 3)
    assert abs(float(picture.mean()) - 230) < 2


def test_a_large_frame_is_made_small(view: WebView) -> None:
    view.observe(observed(bgr=plain(50, height=1080, width=1920)))
    assert decoded(frame(view).body).shape == (540, LONGEST_SIDE, 3)


def test_who_has_the_newest_picture_waits_for_the_next(view: WebView) -> None:
    view.observe(observed(0, bgr=plain(10)))
    assert frame(view).headers["x-number"] == "1"
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(frame, view, after=1)
        view.observe(observed(1, bgr=plain(200)))
        answer = waiting.result(PATIENCE_S)
    assert answer.headers["x-number"] == "2"
    assert decoded(answer.body).mean() > 190


@pytest.mark.parametrize("after", ["99", "-1", "x", "", "9" * 30])
def test_a_page_that_outlived_a_server_gets_a_picture(view: WebView, after: str) -> None:
    view.observe(observed())
    assert request(view, f"/frame.jpg?after={after}").headers["x-number"] == "1"


def test_many_viewers_cost_one_encoding_a_frame(view: WebView) -> None:
    viewers, frames = 5, 12
    with ThreadPoolExecutor(viewers) as threads:
        for number in range(frames):
            early = [threads.submit(frame, view, after=number) for _ in range(viewers - 2)]
            view.observe(observed(number, bgr=plain(number)))
            late = [threads.submit(frame, view, after=number) for _ in range(2)]
            answers = [future.result(PATIENCE_S) for future in early + late]
            assert {answer.headers["x-number"] for answer in answers} == {str(number + 1)}
            assert len({answer.body for answer in answers}) == 1
            assert view.feed.encoded == number + 1


def test_nobody_looks_and_nothing_is_encoded(view: WebView) -> None:
    with listening(view, "/state") as news:
        for number in range(50):
            view.observe(observed(number))
        assert any(state["number"] == 50 for name, state in messages(news) if name == "state")
    assert view.feed.encoded == 0


def test_the_stream_is_multipart_and_moves(view: WebView) -> None:
    view.observe(observed(0, bgr=plain(0)))
    with listening(view, "/stream") as stream:
        parts = read_parts(stream)
        assert decoded(next(parts)).mean() < 5
        view.observe(observed(1, bgr=plain(255)))
        assert decoded(next(parts)).mean() > 250


def test_a_slow_viewer_skips_and_slows_nobody(view: WebView) -> None:
    frames = 60
    noise = np.random.default_rng(0).integers(0, 256, (720, 960, 3), dtype=np.uint8)
    view.observe(observed(0, bgr=noise))
    with listening(view, "/stream") as slow:
        for number in range(1, frames):
            last = plain(255) if number == frames - 1 else noise
            view.observe(observed(number, bgr=last))
            assert frame(view, after=number).headers["x-number"] == str(number + 1)
        assert view.feed.encoded <= frames
        taken = 1
        for part in read_parts(slow):  # from here on it is as fast as anybody
            if decoded(part).shape == (48, 64, 3):
                break
            taken += 1
    assert taken < frames / 2


def test_heatmaps_are_made_while_somebody_looks(view: WebView) -> None:
    assert not view.wants_heatmap
    heatmap = np.zeros((2, 2), np.float32)
    heatmap[0, 0] = 1
    view.observe(observed(0, bgr=plain(128)))
    bare = frame(view, heatmap=True)
    assert view.wants_heatmap
    assert bare.body == frame(view).body
    assert view.feed.encoded == 1

    view.observe(observed(1, bgr=plain(128), heatmap=heatmap))
    overlaid, usual = frame(view, heatmap=True), frame(view)
    assert view.feed.encoded == 3
    assert usual.body == bare.body
    picture = decoded(overlaid.body)
    assert picture[:8, :8].mean() > 120
    assert picture[-8:, -8:].mean() < 70


@pytest.mark.parametrize("rule", RESIZE_RULES)
@pytest.mark.parametrize("shape_hw", [(60, 100), (100, 60), (64, 64), (37, 91), (500, 20)])
def test_a_heatmap_lies_where_the_model_saw(rule: ResizeRule, shape_hw: tuple[int, int]) -> None:
    """A white square that the model sees in one cell of its input is what that cell covers."""
    height, width = shape_hw
    top, left, rows, columns = seen_part(shape_hw, size_hw=(32, 32), rule=rule)
    places_y, places_x = np.mgrid[0:height, 0:width]
    cell_y, cell_x = (places_y - top) * 4 // rows, (places_x - left) * 4 // columns
    for y, x in itertools.product(range(4), range(4)):
        image = np.zeros((height, width, 3), np.uint8)
        image[(cell_y == y) & (cell_x == x)] = 255
        if image.any(axis=2).sum() < rows * columns / 64:  # the border of a padded input
            continue
        model_input = preprocess(image, size_hw=(32, 32), rule=rule)[..., 0].astype(float)
        inside = model_input[8 * y : 8 * y + 8, 8 * x : 8 * x + 8].sum()
        assert inside > 0.75 * model_input.sum()


@pytest.mark.parametrize("rule", RESIZE_RULES)
def test_what_the_model_did_not_see_stays_as_it_is(rule: ResizeRule) -> None:
    image = np.full((60, 100, 3), 90, np.uint8)
    maker = PictureMaker(input_hw=(32, 32), rule=rule)
    mixed = maker.overlay(image, np.ones((4, 4), np.float32))
    assert mixed.shape == image.shape
    touched = (mixed != image).any(axis=(0, 2))
    assert touched[20:80].all()
    assert touched[:19].any() == touched[81:].any() == (rule != "crop")
    assert (image == 90).all()
