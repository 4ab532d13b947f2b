"""`edgeclf run` on a camera, through the command line."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import pytest
from click.testing import Result
from live_servers import HEADER, Connection, endless, jpeg, part, picture, serve
from schemas import valid, valid_rows

from edgeclf.edge_runtime.prediction import UNKNOWN

Cli = Callable[..., Result]

LONG = 30.0


@pytest.fixture(scope="module")
def model(tiny_models: Path) -> Path:
    return tiny_models / "int8.tflite"


def records_of(text: str) -> list[dict[str, Any]]:
    return [valid("device/run-live", json.loads(line)) for line in text.splitlines()]


def frames_of(text: str) -> list[dict[str, Any]]:
    return [record for record in records_of(text) if record["type"] == "frame"]


def damaged(client: Connection) -> None:
    """Send frames that only the decoder finds damaged, as fast as they are taken."""
    whole = jpeg(3, height=960, width=1280)
    middle = len(whole) * 3 // 4
    client.send(HEADER)
    while not client.released.is_set():
        client.send(part(whole[:middle] + b"\x55" * 300 + whole[middle + 300 :]))


def silent(client: Connection) -> None:
    client.released.wait(LONG)


@pytest.fixture
def camera() -> Iterator[str]:
    with serve(endless) as port:
        yield f"http://me:secret@127.0.0.1:{port}/video"


def test_json_gives_an_object_for_each_frame(cli: Cli, model: Path, camera: str) -> None:
    # A label of its own for each frame.
    options = ("--max-frames", 4, "--top", 2, "--vote", "1/1", "--novelty-threshold", 1)
    result = cli("run", model, camera, "--json", *options)
    rows = frames_of(result.stdout)
    assert len(rows) == 4
    numbers = [row["frame"] for row in rows]
    assert numbers == sorted(set(numbers))
    for row in rows:
        assert list(row) == [
            "schema", "type", "time", "source", "frame", "label", "score", "refused",
            "novelty", "novelty_reason", "frame_label", "frame_score", "top", "ms", "age_ms",
            "steps_ms",
        ]  # fmt: skip
        assert row["top"][0] == [row["frame_label"], row["frame_score"]]
        assert len(row["top"]) == 2
        assert row["label"] == row["frame_label"]
        assert row["age_ms"] >= row["ms"] > 0
        at = datetime.strptime(row["time"], "%Y-%m-%dT%H:%M:%S.%f%z")
        assert abs(at.timestamp() - time.time()) < LONG
        assert list(row["steps_ms"]) == ["decode", "preprocess", "invoke", "postprocess"]
    assert "live" in result.stderr
    assert "secret" not in result.output


def test_json_and_json_lines_are_the_same_records(
    cli: Cli, model: Path, camera: str, tmp_path: Path
) -> None:
    file = tmp_path / "seen.jsonl"
    result = cli("run", model, camera, "--json", "--max-frames", 3, "--jsonl", file)
    printed, written = records_of(result.stdout), records_of(file.read_text())
    assert {record["type"] for record in printed} == {"frame", "event", "source"}
    for kind in ("frame", "event"):
        assert [one for one in printed if one["type"] == kind] == [
            one for one in written if one["type"] == kind
        ]
    assert {record["schema"] for record in printed + written} == {1}


def test_thresholds_of_the_command_line_hold_for_a_single_frame_too(
    cli: Cli, model: Path, camera: str
) -> None:
    thresholds = [f"--class-threshold={label}=1" for label in ("good", "oil", "scratch", "stain")]
    result = cli("run", model, camera, "--json", "--max-frames", 2, *thresholds)
    for row in frames_of(result.stdout):
        assert row["label"] == row["frame_label"] == UNKNOWN
        assert row["refused"]["threshold"] == 1.0
        assert row["refused"]["label"] == row["top"][0][0]


def test_plain_lines_tell_label_age_and_state(cli: Cli, model: Path, camera: str) -> None:
    refusing = ("--threshold", 1, "--novelty-threshold", 1)
    result = cli("run", model, camera, "--max-frames", 3, *refusing)
    lines = result.stdout.splitlines()
    assert any(UNKNOWN in line and "age" in line and "live" in line for line in lines)
    assert any(" is below its threshold 1)" in line for line in lines)
    assert "secret" not in result.output


def test_the_news_goes_where_it_is_asked_to(
    cli: Cli, model: Path, camera: str, tmp_path: Path
) -> None:
    result = cli(
        *("run", model, camera, "--max-frames", 5, "--smooth", 0, "--serve", "127.0.0.1:0"),
        *("--jsonl", tmp_path / "seen.jsonl", "--csv", tmp_path / "seen.csv"),
        *("--events", tmp_path / "events"),
    )
    assert "Live on http://127.0.0.1:" in result.stderr
    rows = records_of((tmp_path / "seen.jsonl").read_text())
    frames = [row["frame"] for row in rows if row["type"] == "frame"]
    assert len(frames) == 5
    assert len((tmp_path / "seen.csv").read_text().splitlines()) == 6
    assert [row["frame"] for row in valid_rows("device/run-csv", tmp_path / "seen.csv")] == frames
    events = [row for row in rows if row["type"] == "event"]
    assert events[0]["previous"] is None
    assert len(list((tmp_path / "events").glob("*.jpg"))) == len(events)
    assert {row["state"] for row in rows if row["type"] == "source"} >= {"live"}
    assert "secret" not in (tmp_path / "seen.jsonl").read_text()


def test_the_service_manager_hears_of_it(
    cli: Cli, model: Path, camera: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(LONG)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        cli("run", model, camera, "--max-frames", 3)
        shown = ""
        while "STOPPING=1" not in shown:
            shown += manager.recv(4096).decode() + "\n"
    assert "READY=1" in shown


def test_a_camera_that_is_not_there_is_waited_for(cli: Cli, model: Path) -> None:
    with serve(silent) as port:
        pass
    result = cli("run", model, f"http://127.0.0.1:{port}/", "--duration", 2)
    assert "connecting (connection refused)" in result.stdout


def test_a_camera_that_refuses_is_dead(cli: Cli, model: Path) -> None:
    with serve(lambda client: client.send(b"HTTP/1.1 403 Forbidden\r\n\r\n")) as port:
        result = cli("run", model, f"http://127.0.0.1:{port}/", "--duration", 2)
    assert "dead (the camera refuses: 403 Forbidden)" in result.stdout


def test_damage_alone_does_not_hold_up_the_end(cli: Cli, model: Path) -> None:
    with serve(damaged) as port:
        result = cli("run", model, f"http://127.0.0.1:{port}/", "--duration", 2, "--json")
    assert {record["type"] for record in records_of(result.stdout)} == {"source"}
    damage = "a frame that cannot be decoded: the image is damaged: "
    assert f"stale (nothing but damage: {damage}" in result.stderr


def test_a_video_in_real_time(cli: Cli, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20, (64, 48))
    for number in range(8):
        writer.write(picture(number))
    writer.release()
    start = time.monotonic()
    result = cli("run", model, path, "--realtime", "--json")
    assert time.monotonic() - start >= 7 / 20 - 0.05
    rows = frames_of(result.stdout)
    assert 1 <= len(rows) <= 8
    assert {row["source"] for row in rows} == {str(path)}


def test_a_video_with_a_colon_in_its_name(
    cli: Cli, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    writer = cv2.VideoWriter("clip.avi", cv2.VideoWriter.fourcc(*"MJPG"), 1000, (64, 48))
    for number in range(3):
        writer.write(picture(number))
    writer.release()
    name = "rtsp:12:30:00.avi"
    Path("clip.avi").rename(name)
    for schema, options in (("device/run", ()), ("device/run-live", ("--realtime",))):
        lines = cli("run", model, name, "--json", *options).stdout.splitlines()
        assert {valid(schema, json.loads(line))["source"] for line in lines} == {name}


def test_a_video_without_frames_is_an_error(cli: Cli, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"no video " * 100)
    result = cli("run", model, path, "--realtime", "--json", code=1)
    assert f"Error: {path}: no frame of it can be decoded" in result.stderr


# A folder that is watched.


def wait_for_file(folder: Path, pattern: str) -> None:
    deadline = time.monotonic() + LONG
    while not any(path.stat().st_size for path in folder.glob(pattern)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_new_images_are_classified_once_they_are_whole(
    cli: Cli, model: Path, surfaces: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    shutil.copy(surfaces / "oil/oil_0001.png", folder / "old.png")
    whole = (surfaces / "good/good_0001.png").read_bytes()

    def put() -> None:
        wait_for_file(tmp_path, "seen.jsonl")  # it is watched now
        (folder / "deeper").mkdir()
        shutil.copy(surfaces / "stain/stain_0001.png", folder / "deeper" / "new.png")
        (folder / "notes.txt").write_text("no image")
        with (folder / "growing.png").open("wb") as file:
            for at in range(0, len(whole), len(whole) // 3 + 1):
                file.write(whole[at : at + len(whole) // 3 + 1])
                file.flush()
                time.sleep(0.7)  # longer than a file may stand still

    putting = threading.Thread(target=put)
    putting.start()
    log = tmp_path / "seen.jsonl"
    result = cli("run", model, folder, "--watch", "--json", "--max-frames", 2, "--jsonl", log)
    putting.join()
    rows = frames_of(result.stdout)
    assert [row["source"] for row in rows] == [
        str(folder / "deeper" / "new.png"),
        str(folder / "growing.png"),
    ]
    expected = cli("run", model, *(row["source"] for row in rows), "--json")
    for row, line in zip(rows, expected.stdout.splitlines(), strict=True):
        assert row["top"] == valid("device/run", json.loads(line))["top"]


# What is refused.


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["0", "1"], "2 sources to watch: give one"),
        (["0", "--heatmap", "maps"], "not for a live run"),
        (["photo.png", "--max-fps", 3], "--max-fps: only for a live run"),
        (["photo.png", "--frozen-after", 3], "--frozen-after: only for a live run"),
        (["photo.png", "--watch"], "photo.png: not a folder"),
        (["photo.png", "--realtime"], "photo.png: neither a camera nor a video"),
        (["gone.mp4", "--realtime"], "gone.mp4: no such file"),
        (["http:///video"], "names no host"),
        (["picamera"], "sudo apt install -y python3-picamera2"),
    ],
)
def test_what_cannot_be_is_one_line(
    cli: Cli,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[object],
    reason: str,
) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("photo.png", picture(1))
    result = cli("run", model, *arguments, code=1)
    [line] = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert reason in line
    assert result.stdout == ""


@pytest.mark.parametrize(
    "options",
    [("--max-fps", 0), ("--max-frames", 0), ("--duration", 0), ("--size", "big"),
     ("--size", "0x480"), ("--timeout", 0), ("--frozen-after", -1)],
)  # fmt: skip
def test_impossible_options_are_refused(cli: Cli, model: Path, options: tuple[object, ...]) -> None:
    assert str(options[0]) in cli("run", model, "0", *options, code=2).stderr


def test_help_lists_the_options_of_a_camera_once(cli: Cli) -> None:
    for _ in range(2):
        text = cli("run", "--help").stdout
        for option in ("--json", "--threads", "--watch", "--max-fps", "--frozen-after"):
            assert text.count(f"  {option} ") == 1


# In a process of its own.


def test_a_photograph_loads_nothing_of_it(
    fresh_python: Callable[..., subprocess.CompletedProcess[str]], model: Path, surfaces: Path
) -> None:
    code = (
        "import sys\n"
        "from edgeclf.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if 'edge_runtime.live' in name])"
    )
    photograph = surfaces / "oil/oil_0001.png"
    plain = fresh_python(code, "run", model, photograph, "--threads", 1, "--top", 2)
    assert plain.stdout.endswith("\n[]\n")
    with serve(endless) as port:
        camera = f"http://127.0.0.1:{port}/"
        done = fresh_python(code, "run", model, camera, "--max-frames", 1)
    assert "edge_runtime.live.loop" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("answer", [endless, silent, damaged])
def test_a_signal_ends_it_in_order(
    model: Path, number: signal.Signals, answer: Callable[[Connection], None]
) -> None:
    """Although the camera would be waited for much longer."""
    with serve(answer) as port:
        command: list[Any] = [sys.executable, "-m", "edgeclf", "run", model]
        command += [f"http://127.0.0.1:{port}/", "--timeout", "600", "--json"]
        running = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/"
        )
        assert running.stderr is not None
        assert running.stdout is not None
        assert running.stderr.readline().startswith("http://")
        if answer is endless:
            assert running.stdout.readline().startswith("{")
        running.send_signal(number)
        stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 0
    assert "Traceback" not in stderr
    records_of(stdout)  # the last one is whole, too


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--jsonl", "/proc/seen.jsonl"], "/proc/seen.jsonl: cannot be written"),
        (["--serve", "127.0.0.1:0"], "--serve needs uvicorn: pip install 'edgeclf[web]'"),
        (["--mqtt", "mqtt://broker"], "--mqtt needs paho-mqtt: pip install 'edgeclf[mqtt]'"),
        (["--class-threshold", "dent=1"], "'dent', which is no class"),
        (["--watch"], "not a folder"),
    ],
)
def test_a_run_that_cannot_start_ends_with_one_line(
    fresh_python: Callable[..., subprocess.CompletedProcess[str]],
    model: Path,
    tmp_path: Path,
    options: list[str],
    reason: str,
) -> None:
    """And not with SIGABRT, as where a thread is in a library when the process ends."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 1000, (64, 48))
    for number in range(50):
        writer.write(picture(number))
    writer.release()
    code = (
        "import sys\n"
        "for name in ('uvicorn', 'paho.mqtt.client'): sys.modules[name] = None\n"
        "from edgeclf.cli import main\n"
        "main()"
    )
    done = fresh_python(code, "run", model, path, "--realtime", *options)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert reason in line


def test_what_cannot_be_opened_is_known_before_the_camera_is_asked(cli: Cli, model: Path) -> None:
    asked: list[bytes] = []
    with serve(lambda client: asked.append(client.request)) as port:
        camera = f"http://127.0.0.1:{port}/"
        cli("run", model, camera, "--jsonl", "/proc/seen.jsonl", code=1)
        assert asked == []
        cli("run", model, camera, "--duration", 2)
        assert asked


def test_the_pictures_of_a_run_are_not_watched(cli: Cli, model: Path, tmp_path: Path) -> None:
    result = cli("run", model, tmp_path, "--watch", "--events", tmp_path, code=1)
    assert "choose another folder for them" in result.stderr
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    events, log = inbox / "events", tmp_path / "seen.jsonl"

    def put() -> None:
        wait_for_file(tmp_path, "seen.jsonl")  # it is watched now
        cv2.imwrite(str(inbox / "first.png"), picture(1))
        wait_for_file(events, "*.jpg")
        cv2.imwrite(str(inbox / "zlast.png"), picture(2))

    putting = threading.Thread(target=put)
    putting.start()
    result = cli(
        *("run", model, inbox, "--watch", "--events", events, "--jsonl", log),
        *("--json", "--max-frames", 2),
    )
    putting.join()
    rows = frames_of(result.stdout)
    assert [row["source"] for row in rows] == [str(inbox / "first.png"), str(inbox / "zlast.png")]
