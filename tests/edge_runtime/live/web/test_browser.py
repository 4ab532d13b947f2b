"""The web view in a real browser: it moves, it classifies, and it shows what is dead as dead."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from live_feed import LABELS, changed, health, observed, plain
from numpy.typing import NDArray
from skips import require_program

from edgeclf.benchmarks.compat.browser.chromium import Page, open_browser
from edgeclf.edge_runtime.images import RGBImage
from edgeclf.edge_runtime.live.observation import SourceState
from edgeclf.edge_runtime.live.web.options import Address, open_web
from edgeclf.edge_runtime.live.web.view import WebView
from edgeclf.edge_runtime.prediction import Prediction, Refusal

TOKEN = "correct-horse-battery"
# The middle of the picture as red, green, blue.
MIDDLE = """(() => {
  const canvas = document.getElementById("picture");
  const at = [canvas.width / 2, canvas.height / 2, 1, 1];
  return [...canvas.getContext("2d").getImageData(...at).data].slice(0, 3);
})()"""
STATE = "document.body.dataset.state"


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with open_browser(require_program("chromium")) as page:
        yield page


def by_colour(rgb: RGBImage) -> Prediction:
    """Red is oil, all else is good."""
    red = float(rgb[..., 0].mean()) > float(rgb[..., 2].mean())
    top = (("oil", 0.9), ("good", 0.1)) if red else (("good", 0.8), ("oil", 0.2))
    return Prediction(top[0][0], top[0][1], top, 5.0, np.eye(2, dtype=np.float32))


@contextmanager
def served(*, port: int = 0, token: str | None = None) -> Iterator[WebView]:
    view = open_web(
        Address("127.0.0.1", port),
        token,
        classify=by_colour,
        labels=LABELS,
        heatmap=True,
        input_hw=(32, 32),
        resize="stretch",
        thresholds={"oil": 0.6},
        title="surfaces",
    )
    try:
        yield view
    finally:
        view.close()


@contextmanager
def filming(view: WebView) -> Iterator[None]:
    """Show frames that grow brighter and begin again, of a live camera."""
    over = threading.Event()
    heatmap = np.eye(2, dtype=np.float32)

    def film() -> None:
        number = 0
        while not over.wait(0.05):
            grey = plain(20 + 10 * number % 200)
            maps = heatmap if view.wants_heatmap else None
            view.observe(observed(number, bgr=grey, heatmap=maps))
            number += 1

    view.report_health(health(SourceState.LIVE))
    thread = threading.Thread(target=film)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def view() -> Iterator[WebView]:
    with served() as view:
        yield view


@pytest.fixture
def page(browser: Page, view: WebView) -> Iterator[Page]:  # noqa: ARG001, it leaves before the view
    """The browser's tab, in which the test must leave no error: no exception, nothing blocked."""
    browser.errors.clear()
    browser.resize(1280, 800)
    yield browser
    browser.open("about:blank")
    assert browser.errors == []


def look(page: Page, view: WebView) -> None:
    page.open(f"http://127.0.0.1:{view.port}/")


def text(page: Page, name: str) -> str:
    return str(page.run(f"document.getElementById('{name}').innerText"))


def test_the_picture_moves_and_is_named(page: Page, view: WebView) -> None:
    look(page, view)
    assert page.run(STATE) == "connecting"
    assert "Waiting for the first picture" in text(page, "stage")
    with filming(view):
        page.until(f"{STATE} === 'live'")
        page.until("document.getElementById('picture').width === 64")
        seen = {str(page.run(MIDDLE))}
        while len(seen) < 5:
            seen.add(str(page.run(MIDDLE)))
        assert text(page, "label") == "oil"
        assert text(page, "score") == "70 %"
        assert page.run("document.title") == "oil · surfaces"
        page.until("document.getElementById('said').textContent === 'Now oil'")
        assert text(page, "bars").split() == [
            *("good", "10", "%", "oil", "70", "%", "scratch", "10", "%", "stain", "10", "%")
        ]
        assert page.run("document.querySelectorAll('.bars .mark:not([hidden])').length") == 1
        assert text(page, "age") == "14"
        page.until("document.querySelector('.line').getAttribute('d')?.includes('L')")
        page.until("+document.getElementById('fps').textContent > 0")
    assert view.feed.encoded > 0


def test_the_class_that_was_refused_is_named(page: Page, view: WebView) -> None:
    look(page, view)
    view.report_health(health(SourceState.LIVE))
    seen = observed(1)
    refused = Refusal("oil", 0.7, 0.8)
    view.observe(replace(seen, decision=replace(seen.decision, label="unknown", refused=refused)))
    page.until("document.getElementById('label').textContent === 'unknown'")
    assert text(page, "refused") == "oil 70.0 % is below its threshold 80.0 %"
    view.observe(observed(2))
    page.until("document.getElementById('label').textContent === 'oil'")
    assert text(page, "refused") == ""


def test_changes_are_listed_newest_first(page: Page, view: WebView) -> None:
    look(page, view)
    assert "None yet" in page.run("document.body.innerText")
    view.report_event(changed("good", None), observed())
    view.report_event(changed("oil", "good"), observed())
    page.until("document.querySelectorAll('#history li').length === 2")
    first, second = page.run("[...document.querySelectorAll('#history b')].map(b => b.innerText)")
    assert (first, second) == ("oil", "good")
    assert "None yet" not in page.run("document.body.innerText")


@pytest.mark.parametrize(
    ("state", "colour"),
    [("stale", "230, 159, 0"), ("reconnecting", "230, 159, 0"), ("dead", "255, 107, 90")],
)
def test_a_camera_that_fails_is_shown_so(
    page: Page, view: WebView, state: str, colour: str
) -> None:
    view.report_health(health(SourceState.LIVE))
    view.observe(observed(bgr=plain(200)))
    look(page, view)
    page.until(f"{STATE} === 'live' && document.getElementById('picture').width === 64")
    style = "getComputedStyle(document.getElementById('picture')).filter"
    page.until(f"{style} === 'none'")
    assert page.run("getComputedStyle(document.querySelector('.notice')).display") == "none"

    view.report_health(health(SourceState(state), "the cable was pulled", seconds_ago=60))
    page.until(f"{STATE} === '{state}'")
    page.until(f"{style}.includes('grayscale(1)')")
    assert text(page, "state").lower() == state
    assert " since " in text(page, "notice")
    assert text(page, "reason") == "the cable was pulled"
    assert page.run("getComputedStyle(document.querySelector('figcaption')).display") == "none"
    ring = page.run("getComputedStyle(document.getElementById('stage'), '::after').boxShadow")
    assert colour in ring

    view.observe(observed(1))
    view.report_health(health(SourceState.LIVE))
    page.until(f"{STATE} === 'live' && {style} === 'none'")


def test_a_loop_that_hangs_is_not_live(page: Page, view: WebView) -> None:
    view.report_health(health(SourceState.LIVE))
    view.observe(observed(seconds_ago=60))
    look(page, view)
    page.until(f"{STATE} === 'stale'")
    assert text(page, "reason") == "no frame was classified"
    assert float(text(page, "age")) >= 60
    assert text(page, "age-unit") == "s"


def png(tmp_path: Path, name: str, bgr: tuple[int, int, int]) -> Path:
    path = tmp_path / name
    image: NDArray[np.uint8] = np.full((20, 30, 3), bgr, np.uint8)
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return path


def results(page: Page, count: int) -> list[str]:
    page.until(
        f"document.querySelectorAll('#results > li').length === {count} && "
        "![...document.querySelectorAll('#results p')].some(p => p.textContent === '…')"
    )
    found: list[str] = page.run(
        "[...document.querySelectorAll('#results > li')].map(li => li.innerText)"
    )
    return found


def test_a_chosen_photograph_is_classified(page: Page, view: WebView, tmp_path: Path) -> None:
    look(page, view)
    page.choose_file("#file", png(tmp_path, "red.png", (0, 0, 255)))
    [red] = results(page, 1)
    assert red.split()[:4] == ["oil", "oil", "90", "%"]
    assert "red.png, 5 ms" in red
    page.choose_file("#camera", png(tmp_path, "blue.png", (255, 0, 0)))
    blue, red = results(page, 2)
    assert blue.split()[0] == "good"
    plain_image, overlay = "#results li .plain", "#results li .overlay"
    shown = "getComputedStyle(document.querySelector('{}')).display"
    assert page.run(shown.format(overlay)) == "none"
    page.run("document.querySelectorAll('[data-heatmap-switch]')[1].click()")
    assert page.run(shown.format(overlay)) == "block"
    assert page.run(shown.format(plain_image)) == "none"
    page.until(f"document.querySelector('{overlay}').naturalWidth === 30")


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_photograph_comes_by_drop_and_paste(page: Page, view: WebView, way: str) -> None:
    look(page, view)
    page.run(
        """(async () => {
          const canvas = document.createElement("canvas");
          const pen = canvas.getContext("2d");
          pen.fillStyle = "red";
          pen.fillRect(0, 0, 300, 150);
          const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg"));
          const files = new DataTransfer();
          files.items.add(new File([blob], "drawn.jpg", { type: "image/jpeg" }));
          const event = "WAY" === "drop"
            ? new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true })
            : new ClipboardEvent("paste", { clipboardData: files, bubbles: true });
          document.getElementById("drop").dispatchEvent(event);
        })()""".replace("WAY", way)
    )
    [drawn] = results(page, 1)
    assert drawn.split()[0] == "oil"
    assert "drawn.jpg" in drawn


def test_what_is_no_photograph_is_said_to_be_none(
    page: Page, view: WebView, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("no image")
    look(page, view)
    page.choose_file("#file", notes)
    [refused] = results(page, 1)
    assert refused.startswith("not an image; send a JPEG")
    page.errors.clear()  # the browser lists the refusal, status 415


def press(page: Page, key: str, code: int) -> None:
    for kind in ("keyDown", "keyUp"):
        text = {"text": key} if kind == "keyDown" and len(key) == 1 else {}
        page.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text)


def test_the_heatmap_is_switched_by_the_keyboard(page: Page, view: WebView) -> None:
    look(page, view)
    with filming(view):
        page.until(f"{STATE} === 'live'")
        grey = page.run(MIDDLE)
        assert max(grey) - min(grey) < 3
        assert not view.wants_heatmap
        press(page, "Tab", 9)
        assert page.run("document.activeElement.innerText") == "Heatmap"
        press(page, " ", 32)
        assert page.run("document.activeElement.getAttribute('aria-checked')") == "true"
        page.until(f"(middle => Math.max(...middle) - Math.min(...middle) > 20)({MIDDLE})")
        assert view.wants_heatmap
        press(page, " ", 32)
        page.until(f"(middle => Math.max(...middle) - Math.min(...middle) < 3)({MIDDLE})")


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_nothing_sticks_out(page: Page, view: WebView, width: int) -> None:
    page.resize(width, 740, phone=width < 400)
    view.report_health(health(SourceState.DEAD, "no answer from rtsp://a-rather-long.name:8554/x"))
    view.report_event(changed("a-label-that-is-longer-than-the-screen-is-wide", "oil"), observed())
    view.observe(observed())
    look(page, view)
    page.until(f"{STATE} === 'dead' && document.querySelector('#history li') !== null")
    assert page.run("document.documentElement.scrollWidth") <= width
    shown = page.run("getComputedStyle(document.getElementById('take')).display") != "none"
    assert shown == (width < 400)  # a phone has a camera


def test_a_server_that_went_is_missed_and_found_again(page: Page) -> None:
    with served() as view:
        view.report_health(health(SourceState.LIVE))
        view.observe(observed())
        look(page, view)
        page.until(f"{STATE} === 'live'")
    page.until(f"{STATE} === 'gone'")
    assert text(page, "notice").startswith("The run ended at ")
    with served(port=view.port) as again, filming(again):
        page.until(f"{STATE} === 'live'")
        first = page.run(MIDDLE)
        page.until(f"String({MIDDLE}) !== '{','.join(map(str, first))}'")
    page.open("about:blank")
    page.errors.clear()  # connections refused in between


def test_the_door_opens_with_the_token(page: Page) -> None:
    with served(token=TOKEN) as view:
        look(page, view)
        assert page.run("document.querySelector('h1').innerText").endswith("asks for its token")
        page.errors.clear()  # the browser lists the answer, status 401
        page.run(
            f"document.getElementById('token').value = '{TOKEN}';"
            "document.querySelector('button').click()"
        )
        page.until("document.getElementById('picture') !== null")
        with filming(view):
            page.until(f"{STATE} === 'live'")
            assert TOKEN not in page.run("location.href + document.cookie")
            page.until("document.getElementById('picture').width === 64")
            page.open("about:blank")
