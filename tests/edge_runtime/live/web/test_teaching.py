"""What viewers teach on the page: frames while a class is held, with a real model."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from live_feed import health, observed
from numpy.typing import NDArray
from skips import require_program
from web_client import TOKEN, Answer, listening, messages, request

from edgeclf.benchmarks.compat.browser.chromium import open_browser
from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.live.observation import Observation, SourceState
from edgeclf.edge_runtime.live.web.options import Address, open_web
from edgeclf.edge_runtime.live.web.teaching import MOST_FRAMES
from edgeclf.edge_runtime.live.web.view import WebView
from edgeclf.edge_runtime.teach.teaching import Teaching, taught_before

OWN = ("good", "oil", "scratch", "stain")


def frame(number: int) -> NDArray[np.uint8]:
    """Return what a camera sees of a chequered thing: frames differ by their noise alone.

    So the frames that a test happens to take do not decide whether they are found again.
    """
    rows, columns = np.indices((48, 64))
    squares = ((rows // 8 + columns // 8) % 2).astype(np.uint8)
    noise = np.random.default_rng(number).integers(0, 20, (48, 64, 3))
    return np.asarray(squares[..., None] * np.array([10, 60, 200]) + noise, np.uint8)


@contextmanager
def served(model: Path, out: Path, *, token: str | None = None) -> Iterator[WebView]:
    classifier = Classifier(taught_before(model, out), threads=1)
    view = open_web(
        Address("127.0.0.1", 0),
        token,
        classify=classifier.classify,
        labels=classifier.spec.labels,
        heatmap=False,
        input_hw=classifier.spec.input_hw,
        resize=classifier.spec.resize,
        teaching=Teaching(classifier, out),
    )
    try:
        yield view
    finally:
        view.close()


@contextmanager
def filming(view: WebView, model: Path, *, apart_s: float = 0.05) -> Iterator[None]:
    over, classifier = threading.Event(), Classifier(model, threads=1)

    def seen(number: int) -> Observation:
        bgr = frame(number)
        result = classifier.classify_frame(bgr)
        return replace(observed(number, bgr=bgr), observed=result.observed)

    def film() -> None:
        for number in itertools.count():
            if over.wait(apart_s):
                return
            view.observe(seen(number))

    view.report_health(health(SourceState.LIVE))
    view.observe(seen(0))
    thread = threading.Thread(target=film)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def model(tiny_models: Path) -> Path:
    return tiny_models / "int8.tflite"


def ask(view: WebView, path: str, values: object = None, **headers: str) -> Answer:
    return request(view, path, method="POST", body=json.dumps(values or {}), **headers)


def held(view: WebView, label: str, *, frames: int = 2) -> dict[str, Any]:
    """Hold a class until so many frames were taken, and return the answer to the release."""
    number = ask(view, "/teach/hold", {"class": label}).json["hold"]
    wait_for(view, lambda state: not state["holding"] or state["holding"]["photographs"] >= frames)
    answer = ask(view, "/teach/release", {"hold": number})
    assert answer.status == 200, answer.body
    return dict(answer.json)


def wait_for(view: WebView, happened: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the state of the teaching once something has happened, as a viewer hears it."""
    with listening(view, "/state") as response:
        return next(
            values
            for event, values in messages(response)
            if event == "teaching" and happened(values)
        )


def test_a_class_is_taught_while_it_is_held(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.tflite"
    with served(model, out) as view, filming(view, model):
        assert wait_for(view, lambda _: True)["classes"] == list(OWN)
        assert request(view, "/taught.tflite").status == 404
        answer = held(view, "squares", frames=3)
        assert answer["classes"] == [*OWN, "squares"]
        once = f"squares: {answer['frames']} photographs of one view: how good it is cannot be said"
        assert answer["report"] == [f"{once} yet"]
        assert request(view, "/taught.tflite").body == out.read_bytes()
        jpeg = cv2.imencode(".jpg", frame(3))[1].tobytes()
        seen = request(view, "/classify", method="POST", body=jpeg).json
        assert seen["label"] == "squares"
        again = held(view, "squares")
        whole = again["frames"] + answer["frames"]
        assert again["report"][0].startswith(f"squares: {whole} of {whole} photographs are found")
    kept = list((tmp_path / "new.photos" / "squares").glob("*.jpg"))
    assert len(kept) == whole
    with served(model, out) as view, filming(view, model):
        state = wait_for(view, lambda _: True)
        assert (state["classes"], state["lessons"]) == ([*OWN, "squares"], 2)
        assert ask(view, "/teach/undo").json["frames"] == again["frames"]
        assert ask(view, "/teach/undo").json["classes"] == list(OWN)
        assert ask(view, "/teach/undo").status == 422
    assert out.read_bytes() == model.read_bytes()


def test_a_hold_that_nobody_ends_ends_by_itself(model: Path, tmp_path: Path) -> None:
    with served(model, tmp_path / "new.tflite") as view, filming(view, model, apart_s=0.02):
        ask(view, "/teach/hold", {"class": "squares"})
        state = wait_for(view, lambda state: state["lessons"] == 1)
        assert state["holding"] is None
        assert state["report"][0].startswith(f"squares: {MOST_FRAMES} photographs")


def test_one_viewer_teaches_at_a_time(model: Path, tmp_path: Path) -> None:
    with served(model, tmp_path / "new.tflite") as view, filming(view, model):
        number = ask(view, "/teach/hold", {"class": "squares"}).json["hold"]
        other = ask(view, "/teach/hold", {"class": "dust"})
        assert (other.status, other.json["error"]) == (
            409,
            "somebody is teaching; wait until they are done",
        )
        assert ask(view, "/teach/undo").status == 409
        assert ask(view, "/teach/release", {"hold": number}).status == 200
        assert ask(view, "/teach/release", {"hold": number + 1}).status == 404


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("unknown", 422, "what is no class is called so"),
        ("", 422, "an empty class name"),
        ("../x", 422, "holds /"),
        (5, 400, "no class in it"),
    ],
)
def test_what_cannot_be_taught(
    model: Path, tmp_path: Path, name: object, status: int, reason: str
) -> None:
    with served(model, tmp_path / "new.tflite") as view, filming(view, model):
        answer = ask(view, "/teach/hold", {"class": name})
        assert answer.status == status
        assert reason in answer.json["error"]
        for body in (b"{", b"[]", b"[" * 9999, b"\xff"):
            assert request(view, "/teach/hold", method="POST", body=body).status == 400
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_is_not_live_teaches_nothing(model: Path, tmp_path: Path) -> None:
    with served(model, tmp_path / "new.tflite") as view:
        assert ask(view, "/teach/hold", {"class": "dust"}).status == 409
        view.observe(observed(bgr=frame(0)))
        view.report_health(health(SourceState.DEAD, "gone"))
        answer = ask(view, "/teach/hold", {"class": "dust"})
        assert "the picture is not live" in answer.json["error"]


def test_a_full_disk_is_said_and_nothing_is_taught(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _data: bytes) -> None:
        raise EdgeclfError(f"{path}: cannot be written (No space left on device); free some")

    monkeypatch.setattr("edgeclf.edge_runtime.teach.photographs.write_bytes", full)
    with served(model, tmp_path / "new.tflite") as view, filming(view, model):
        number = ask(view, "/teach/hold", {"class": "dust"}).json["hold"]
        answer = ask(view, "/teach/release", {"hold": number})
        assert answer.status == 422
        assert "No space left" in answer.json["error"]
        assert wait_for(view, lambda _: True)["classes"] == list(OWN)


def test_who_may_not_see_the_page_may_not_teach(model: Path, tmp_path: Path) -> None:
    with served(model, tmp_path / "new.tflite", token=TOKEN) as view, filming(view, model):
        for path in ("/teach/hold", "/teach/release", "/teach/undo"):
            assert ask(view, path, {"class": "dust"}).status == 401
            known = {"Authorization": f"Bearer {TOKEN}"}
            foreign = ask(view, path, {"class": "dust"}, Origin="http://evil.example", **known)
            assert foreign.status == 403
        assert request(view, "/taught.tflite").status == 401
    assert list(tmp_path.iterdir()) == []


def test_without_the_option_nothing_can_be_taught(view: WebView) -> None:
    assert ask(view, "/teach/hold", {"class": "dust"}).status == 404
    assert request(view, "/taught.tflite").status == 404


def test_a_class_is_held_in_a_browser(model: Path, tmp_path: Path) -> None:
    with (
        open_browser(require_program("chromium")) as page,
        served(model, tmp_path / "new.tflite") as view,
        filming(view, model),
    ):
        page.open(f"http://127.0.0.1:{view.port}/")
        page.until("!document.getElementById('teaching').hidden")
        page.run("document.getElementById('class-name').focus()")
        page.call("Input.insertText", text="squares")
        button = "document.getElementById('hold-new')"
        page.until(f"!{button}.disabled")
        page.run(f"{button}.scrollIntoView({{block: 'center'}})")
        x, y = page.run(
            f"(() => {{ const at = {button}.getBoundingClientRect();"
            "return [at.x + at.width / 2, at.y + at.height / 2]; })()"
        )
        mouse = {"x": x, "y": y, "button": "left", "clickCount": 1}
        page.call("Input.dispatchMouseEvent", type="mousePressed", **mouse)
        page.until(
            "/of squares: ([2-9]|1\\d) of/.test(document.getElementById('taught').textContent)"
        )
        page.call("Input.dispatchMouseEvent", type="mouseReleased", **mouse)
        page.until("document.getElementById('taught').textContent.startsWith('Taught squares')")
        page.until("document.querySelectorAll('#holds button').length === 5")
        page.run("document.querySelector('#holds button[data-class=oil]').focus()")
        key = {"key": " ", "code": "Space", "windowsVirtualKeyCode": 32}
        page.call("Input.dispatchKeyEvent", type="keyDown", **key)
        page.until("document.querySelector('#holds .held') !== null")
        page.call("Input.dispatchKeyEvent", type="keyUp", **key)
        page.until("document.getElementById('taught').textContent.startsWith('Taught oil')")
        page.run("document.getElementById('undo').click()")
        page.until("document.getElementById('taught').textContent.startsWith('Took back')")
        page.until("document.querySelectorAll('#report li').length === 1")
        assert page.errors == []
