"""From what the user calls a camera to frames: addresses, devices, the Pi's camera, videos."""

import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from live_servers import (
    HEADER,
    Connection,
    jpeg,
    network_camera,
    number_of,
    part,
    picture,
    rtsp,
    serve,
)
from skips import require_program

from edgeclf.edge_runtime.cameras import find_camera
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.live.sources.address import CameraAddress
from edgeclf.edge_runtime.live.sources.cameras import capture_maker
from edgeclf.edge_runtime.live.sources.capture import (
    Capture,
    CaptureError,
    EndError,
    LateError,
    LostError,
    RefusedError,
)
from edgeclf.edge_runtime.live.sources.grabber import Grabber
from edgeclf.edge_runtime.live.sources.health import Patience

LONG = 30.0


def opened(source: str, *, deadline_s: float = LONG, **options: Any) -> Capture:
    capture = capture_maker(find_camera(source) or Path(source), **options)()
    try:
        capture.open(time.monotonic() + deadline_s)
    except CaptureError:
        capture.close()
        raise
    return capture


def read(capture: Capture, deadline_s: float = LONG) -> int:
    raw = capture.read(time.monotonic() + deadline_s)
    assert not isinstance(raw.pixels, bytes)
    return number_of(raw.pixels)


def read_all(capture: Capture, deadline_s: float = LONG) -> None:
    while True:
        read(capture, deadline_s)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("0", True), ("12", True), ("/dev/video0", True), ("picamera", True), ("x.mp4", False),
     ("/dev/v4l/by-id/usb-cam", True), ("rtsp://a/b", True), ("http://a", True), ("photos", False),
     ("https://a", True), ("RTSP://a/b", True), ("a.jpg", False), ("/dev/null", False),
     ("a:b.jpg", False), ("*.png", False), ("C:/a.jpg", False), ("x" * 5000, False),
     ("9" * 5000, False)],
)  # fmt: skip
def test_cameras_are_known_by_their_names(source: str, expected: bool) -> None:
    assert (find_camera(source) is not None) is expected


def test_a_file_or_folder_of_that_name_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "0").mkdir()
    (tmp_path / "picamera").write_text("")
    assert find_camera("0") is None
    assert find_camera("picamera") is None
    assert find_camera("1") is not None


def test_a_video_that_is_not_there_is_an_error_at_once() -> None:
    with pytest.raises(EdgeclfError, match=r"gone\.mp4: no such file"):
        capture_maker(Path("gone.mp4"))


# USB.


def test_a_missing_device_is_named_with_those_that_are_there() -> None:
    with pytest.raises(LostError, match=r"no such camera \(found: .+\)"):
        opened("97")


def test_a_device_that_is_no_camera_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "video0"
    path.write_bytes(b"")
    from edgeclf.edge_runtime.live.sources.opencv import V4l2Camera

    capture = V4l2Camera(str(path))
    with pytest.raises(LostError, match="cannot be opened"):
        capture.open(time.monotonic() + LONG)
    capture.close()


# The Pi's camera: picamera2 as far as it is used.


class FakePicamera2:
    made: "list[FakePicamera2]"

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.made.append(self)

    def create_video_configuration(self, **settings: Any) -> dict[str, Any]:
        return settings

    def configure(self, configuration: dict[str, Any]) -> None:
        self.calls.append(configuration)

    def start(self) -> None:
        self.calls.append("start")

    def capture_array(self, stream: str) -> Any:
        assert stream == "main"
        return picture(5)

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def picamera2(monkeypatch: pytest.MonkeyPatch) -> type[FakePicamera2]:
    monkeypatch.setitem(sys.modules, "picamera2", SimpleNamespace(Picamera2=FakePicamera2))
    FakePicamera2.made = []
    return FakePicamera2


def test_the_pi_camera_gives_bgr_of_the_size_asked(picamera2: type[FakePicamera2]) -> None:
    capture = opened("picamera", size_wh=(640, 480))
    assert read(capture) == 5
    capture.close()
    [camera] = picamera2.made
    assert camera.calls == [
        {"main": {"format": "RGB888", "size": (640, 480)}, "queue": False},
        "start",
        "close",
    ]


def test_a_pi_without_camera_is_named_and_let_go(
    picamera2: type[FakePicamera2], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("Camera __init__ sequence did not complete.")

    monkeypatch.setattr(picamera2, "start", fail)
    with pytest.raises(LostError, match=r"did not complete.*check its cable"):
        opened("picamera")
    assert picamera2.made[0].calls[-1] == "close"


def test_without_picamera2_the_very_line_that_installs_it_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(EdgeclfError) as caught:
        capture_maker(CameraAddress("picamera", "picamera"))
    assert "sudo apt install -y python3-picamera2" in str(caught.value)
    assert "--system-site-packages" in str(caught.value)


# RTSP.


def test_rtsp_frames_come_in_order_and_a_close_is_a_loss() -> None:
    with serve(rtsp(12)) as port:
        capture = opened(f"rtsp://127.0.0.1:{port}/cam")
        seen = [read(capture) for _ in range(5)]
        with pytest.raises(LostError):
            read_all(capture)
        capture.close()
    assert seen == sorted(set(seen))


def test_an_rtsp_camera_that_stalls_is_late() -> None:
    def answer(client: Connection) -> None:
        rtsp(8)(client)
        client.released.wait(LONG)

    with serve(answer) as port:
        capture = opened(f"rtsp://127.0.0.1:{port}/cam", deadline_s=LONG)
        with pytest.raises(LateError, match="no frame in time"):
            read_all(capture, 2)
        capture.close()


def test_an_rtsp_camera_that_does_not_answer_is_late() -> None:
    with (
        serve(lambda client: client.released.wait(LONG) and None) as port,
        pytest.raises(LateError, match="no answer in time"),
    ):
        opened(f"rtsp://127.0.0.1:{port}/cam", deadline_s=1)


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n", RefusedError, "404 Not Found"),
        (b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n\r\n", RefusedError, "USER:PASSWORD"),
        (b"RTSP/1.0 503 Busy\r\nCSeq: 1\r\n\r\n", LostError, "cannot be opened"),
        (b"", LostError, "cannot be opened"),
    ],
)
def test_what_an_rtsp_camera_answers_is_named(
    answer: bytes, kind: type[Exception], reason: str
) -> None:
    with serve(lambda client: client.send(answer)) as port, pytest.raises(kind, match=reason):
        opened(f"rtsp://127.0.0.1:{port}/cam")


def test_no_rtsp_camera_there_is_named() -> None:
    with serve(lambda client: client.send(b"")) as port:
        pass
    with pytest.raises(LostError, match="connection refused"):
        opened(f"rtsp://127.0.0.1:{port}/cam")


def test_the_grabber_connects_to_rtsp_again() -> None:
    patience = Patience(first_wait_s=0.001, longest_wait_s=0.01, attempts_a_minute=1000)

    def answer(client: Connection) -> None:
        rtsp(8)(client)
        if client.number == 2:
            client.released.wait(LONG)

    with serve(answer) as port:
        address = network_camera(f"rtsp://127.0.0.1:{port}/cam")
        grabber = Grabber(capture_maker(address), name=address.name, patience=patience)
        end = time.monotonic() + LONG
        while grabber.health().counts.connects < 3 and time.monotonic() < end:
            grabber.take(0.1)
        counts = grabber.health().counts
        grabber.close(LONG)
    assert counts.connects == 3
    assert counts.disconnects == 2
    assert counts.received > 8
    assert (counts.timeouts, counts.damaged) == (0, 0)


# Certificates.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make a certificate for a host that nobody vouches for, in a file with its key."""

    def make(host: str) -> Path:
        folder = tmp_path_factory.mktemp("tls")
        path, key = folder / "both.pem", folder / "key.pem"
        command = [require_program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
        command += ["-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={host}"]
        command += ["-keyout", str(key), "-out", str(path)]
        subprocess.run(command, check=True, capture_output=True)
        path.write_bytes(path.read_bytes() + key.read_bytes())
        return path

    return make


def over_tls(answer: Callable[[Connection], None], certificate: Path) -> Callable[..., None]:
    """Let a camera answer over TLS; one that is hung up on has answered."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    def encrypted(client: Connection) -> None:
        with suppress(OSError), context.wrap_socket(client.connected, server_side=True) as secure:
            if request := secure.recv(65536):  # nothing of who only looks at the certificate
                answer(Connection(secure, client.number, request, client.released))

    return encrypted


@pytest.mark.parametrize(
    ("scheme", "answer"),
    [("rtsps", rtsp(8)), ("https", lambda client: client.send(HEADER + part(jpeg(1))))],
)
def test_the_certificate_of_a_camera_is_checked(
    certificate: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    answer: Callable[[Connection], None],
) -> None:
    ours, others = certificate("IP:127.0.0.1"), certificate("DNS:other.lan")
    with serve(over_tls(answer, ours), reads=False) as port:
        address = f"{scheme}://127.0.0.1:{port}/cam"
        with pytest.raises(RefusedError, match=r"not trusted \(.*\); name .* SSL_CERT_FILE"):
            opened(address)
        monkeypatch.setenv("SSL_CERT_FILE", str(ours))
        capture = opened(address)
        raw = capture.read(time.monotonic() + LONG)
        assert len(raw.pixels)
        capture.close()
    with serve(over_tls(answer, others), reads=False) as port:
        monkeypatch.setenv("SSL_CERT_FILE", str(others))
        with pytest.raises(RefusedError, match="not trusted"):
            opened(f"{scheme}://127.0.0.1:{port}/cam")


def test_a_user_who_wants_no_check_says_so_to_ffmpeg(
    certificate: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp|tls_verify;0")
    with serve(over_tls(rtsp(8), certificate("DNS:other.lan")), reads=False) as port:
        opened(f"rtsps://127.0.0.1:{port}/cam").close()
    assert os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] == "rtsp_transport;tcp|tls_verify;0"


# Videos.


@pytest.fixture
def clip(tmp_path: Path) -> Callable[[int, float], Path]:
    def write(frames: int, fps: float) -> Path:
        path = tmp_path / "clip.avi"
        codec = cv2.VideoWriter.fourcc(*"MJPG")
        writer = cv2.VideoWriter(str(path), codec, fps, (64, 48))
        for number in range(frames):
            writer.write(picture(number))
        writer.release()
        return path

    return write


def test_a_video_in_real_time_takes_its_time_and_ends(clip: Callable[[int, float], Path]) -> None:
    capture = opened(str(clip(6, 20.0)))
    start = time.monotonic()
    assert [read(capture) for _ in range(6)] == list(range(6))
    assert time.monotonic() - start >= 5 / 20 - 0.01
    with pytest.raises(EndError, match="the end of the video"):
        read(capture)
    capture.close()


def test_what_is_no_video_has_ended_at_once(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"no video " * 100)
    capture = opened(str(path))
    with pytest.raises(EndError, match="no frame of it can be decoded"):
        read(capture)
    capture.close()


def test_pixels_of_a_video_are_its_own(clip: Callable[[int, float], Path]) -> None:
    capture = opened(str(clip(3, 1000.0)))
    frames = [capture.read(time.monotonic() + LONG).pixels for _ in range(3)]
    capture.close()
    for number, pixels in enumerate(frames):
        assert isinstance(pixels, np.ndarray)
        assert number_of(pixels) == number  # a later frame was not written into it
