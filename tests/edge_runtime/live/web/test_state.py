"""What the page is told of a live run."""

from collections.abc import Callable
from typing import Any

from live_feed import LABELS, changed, health, observed
from web_client import Seen, listening, messages, next_message

from edgeclf.edge_runtime.live.observation import SourceState
from edgeclf.edge_runtime.live.web.options import Address, open_web
from edgeclf.edge_runtime.live.web.view import WebView


def test_the_state_tells_all(view: WebView) -> None:
    view.report_health(health(SourceState.LIVE, seconds_ago=30))
    view.report_event(changed("oil", "good"), observed())
    view.observe(observed(7))
    with listening(view, "/state") as news:
        assert news.getheader("content-type") == "text/event-stream; charset=utf-8"
        about = next_message(news, "about")
        [event] = next_message(news, "events")
        state = next_message(news, "state")
    assert about["labels"] == list(LABELS)
    assert about["thresholds"] == {"oil": 0.6}
    assert about["heatmap"] is True
    assert (event["label"], event["previous"]) == ("oil", "good")
    assert (event["time"], event["source"]) == ("2027-01-15T08:00:00.000Z", "rtsp://camera/1")
    assert state["state"] == "live"
    assert state["source"] == "rtsp://camera/1"
    assert state["for_s"] >= 30
    assert state["counts"]["damaged"] == 3
    assert (state["label"], state["score"], state["frame"]) == ("oil", 0.7, 7)
    assert (state["frame_label"], state["frame_score"], state["refused"]) == ("oil", 0.7, None)
    assert state["schema"] == event["schema"] == 1
    assert state["time"].endswith("Z")
    assert state["scores"] == [["good", 0.1], ["oil", 0.7], ["scratch", 0.1], ["stain", 0.1]]
    assert (state["age_ms"], state["ms"]) == (14.0, 12.5)


def test_news_come_by_themselves(view: WebView) -> None:
    with listening(view, "/state") as news:
        stream = messages(news)

        def until(wanted: Callable[[str, Any], bool]) -> Any:
            return next(data for name, data in stream if wanted(name, data))

        until(lambda name, data: name == "state" and data["state"] == "connecting")
        view.report_health(health(SourceState.DEAD, "unplugged"))
        dead = until(lambda name, data: name == "state" and data["state"] == "dead")
        assert dead["reason"] == "unplugged"
        view.report_event(changed("stain", None), observed())
        assert until(lambda name, data: name == "events" and data)[0]["label"] == "stain"
        view.close()
        assert [name for name, _ in stream][-1:] == ["end"]


def test_of_many_classes_the_best_are_shown(seen: Seen) -> None:
    labels = tuple(f"class {i}" for i in range(1000))
    view = open_web(
        Address("127.0.0.1", 0),
        None,
        classify=seen,
        labels=labels,
        heatmap=False,
        input_hw=(32, 32),
        resize="crop",
    )
    view.observe(observed(labels=labels, label="class 512"))
    with listening(view, "/state") as news:
        scores = next_message(news, "state")["scores"]
    view.close()
    assert len(scores) == 8
    assert scores[0] == ["class 512", 0.7]
