"""No output of a run, of doctor or of service holds a secret, wherever an address has it."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner
from live_servers import Connection, endless, serve

from edgeclf.cli import main
from edgeclf.edge_runtime.doctor import camera as doctor_camera
from edgeclf.edge_runtime.service import command as service_command

SECRET, PART = "S3CRETw0rd", "P4RTw0rd"
BROKER_SECRET = "br0kerw0rd"
LONG = 60.0


def says(head: str, *headers: str) -> Callable[[Connection], None]:
    """Answer with these lines; `PATH` in them is what was asked for, with all secrets."""

    def answer(client: Connection) -> None:
        asked = client.request.decode("latin-1").split(" ")[1:2]
        client.send("\r\n".join([head, *headers, "", ""]).replace("PATH", *asked or [""]).encode())

    return answer


digest = says("HTTP/1.1 401 PATH", f'WWW-Authenticate: Digest realm="{SECRET}", nonce="n"')
basic = says("HTTP/1.1 401 PATH", f'WWW-Authenticate: Basic realm="{SECRET}"')
gone = says("HTTP/1.1 404 no PATH")
no_rtsp = says("RTSP/1.0 404 no PATH", "CSeq: 1")

# The source, and what answers at {port}.
SHAPES: dict[str, tuple[str, Callable[[Connection], None]]] = {
    "password": ("http://me:{secret}@127.0.0.1:{port}/video", endless),
    "user": ("http://{secret}@127.0.0.1:{port}/video", endless),
    "upper case": ("HTTP://me:{secret}@127.0.0.1:{port}/video", endless),
    "@ in a password": ("http://me:{part}@{secret}@127.0.0.1:{port}/video", endless),
    "letters beyond ASCII": ("http://me:{secret}ü@127.0.0.1:{port}/video", basic),
    "line ends in a user": ("http://me%0d%0a{part}:{secret}@127.0.0.1:{port}/video", digest),
    "query": ("http://127.0.0.1:{port}/video?password={secret}", endless),
    "query of another name": ("http://127.0.0.1:{port}/video?x={part}&{secret}", endless),
    "query without path": ("http://127.0.0.1:{port}?{secret}", endless),
    "path": ("http://127.0.0.1:{port}/{secret}/video", endless),
    "file": ("http://127.0.0.1:{port}/video/{secret}.mjpg", endless),
    "pairs in a path": ("http://127.0.0.1:{port}/user=me&password={secret}&channel=1", endless),
    "parameter of a path": ("http://127.0.0.1:{port}/video;{secret}", endless),
    "letters beyond ASCII in a path": ("http://127.0.0.1:{port}/ü/{secret}", endless),
    "fragment": ("http://127.0.0.1:{port}/video#{secret}", endless),
    "# in a password": ("http://me:{part}#{secret}@127.0.0.1:{port}/video", endless),
    "/ in a password": ("http://me:{part}/{secret}@127.0.0.1:{port}/video", endless),
    "? in a password": ("http://me:{part}?{secret}@127.0.0.1:{port}/video", endless),
    "blank in a password": ("http://me:{part} {secret}@127.0.0.1:{port}/video", endless),
    "line end in a path": ("http://127.0.0.1:{port}/{part}\n{secret}", endless),
    "backslashes": ("http:\\\\me:{secret}@127.0.0.1:{port}\\{part}", endless),
    "no scheme": ("me:{secret}@127.0.0.1:{port}/video", endless),
    "no scheme, slashes": ("//me:{secret}@127.0.0.1:{port}/video", endless),
    "a slash too few": ("http:/me:{secret}@127.0.0.1:{port}/video", endless),
    "no slash": ("rtsp:me:{secret}@127.0.0.1:{port}/video", endless),
    "another scheme": ("rtmp://me:{secret}@127.0.0.1:{port}/{part}", endless),
    "no host": ("http://me:{secret}@/video", endless),
    "no port": ("http://me:{secret}@127.0.0.1:{part}/video", endless),
    "port out of range": ("http://me:{secret}@127.0.0.1:99999/video", endless),
    "half an IPv6": ("http://me:{secret}@[::1/video", endless),
    "refused": ("http://me:{secret}@127.0.0.1:{port}/{part}", gone),
    "redirect with a password": (
        "http://127.0.0.1:{port}/video",
        says("HTTP/1.1 302 Found", f"Location: http://me:{SECRET}@cam/{PART}"),
    ),
    "redirect with a query": (
        "http://127.0.0.1:{port}/video",
        says("HTTP/1.1 301 Moved", f"Location: /video?token={SECRET}"),
    ),
    "type": (
        "http://127.0.0.1:{port}/{secret}",
        says("HTTP/1.1 200 PATH", f"Content-Type: text/{SECRET}"),
    ),
    "no HTTP": ("http://127.0.0.1:{port}/{secret}", says("PATH")),
    "RTSP password": ("rtsp://me:{secret}@127.0.0.1:{port}/live", no_rtsp),
    "RTSP path": ("RTSP://127.0.0.1:{port}/user=me&password={secret}", no_rtsp),
    "RTSP query": ("rtsp://127.0.0.1:{port}/live?{secret}", no_rtsp),
    "RTSP over TLS": ("rtsps://me:{secret}@127.0.0.1:{port}/{part}", no_rtsp),
    "elsewhere": ("secret:CAM", endless),
    "elsewhere, malformed": ("secret:BAD_CAM", endless),
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tiny_models: Path) -> Path:
    return tiny_models / "int8.tflite"


def check(output: str) -> None:
    for secret in (SECRET, PART):
        assert secret.lower() not in output.lower()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


class Outputs:
    """All that somebody can read of a run."""

    def __init__(self) -> None:
        self.page, self.metrics = free_port(), free_port()
        self.published: list[bytes] = []
        self.fetched: list[str] = []
        self.ended = threading.Event()

    def be_a_broker(self, client: Connection) -> None:
        """Take in what an MQTT client publishes, behind its CONNECT."""
        client.send(b"\x20\x02\x00\x00")
        while data := client.receive():
            self.published.append(data)

    def fetch_all(self) -> None:
        """Fetch what the run serves once it has told how the camera is, then end the run."""
        deadline = time.monotonic() + LONG
        while not self.ended.wait(0.05) and time.monotonic() < deadline:
            with suppress(OSError, http.client.HTTPException):
                health = json.loads(self._get(self.page, "/healthz"))
                waits = health["state"] == "connecting" and not health["reason"]
                told = b"".join(self.published)
                if waits or not health["source"] or b"/source" not in told:
                    continue
                if "edgeclf_source_state" not in (metrics := self._get(self.metrics, "/metrics")):
                    continue
                self.fetched = [json.dumps(health), metrics, self._get(self.page, "/")]
                self.fetched.append(self._get(self.page, "/state", until=b"event: state"))
                os.kill(os.getpid(), signal.SIGTERM)
                return

    @staticmethod
    def _get(port: int, path: str, *, until: bytes | None = None) -> str:
        """Return an answer; of an endless one what comes `until` then."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG)
        connection.request("GET", path)
        response = connection.getresponse()
        text = b"" if until else response.read()
        while until and until not in text:
            text += response.read1(4096)
        connection.close()
        return text.decode()


@contextmanager
def manager(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield listening


def received(listening: socket.socket) -> Iterator[str]:
    with suppress(BlockingIOError):
        while True:
            yield listening.recv(4096).decode()


@pytest.mark.parametrize(("number", "shape"), enumerate(SHAPES), ids=SHAPES)
def test_no_output_of_a_run_holds_a_secret(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    number: int,
    shape: str,
) -> None:
    template, answer = SHAPES[shape]
    outputs = Outputs()
    with (
        serve(answer) as port,
        serve(outputs.be_a_broker) as broker,
        manager(tmp_path / "notify", monkeypatch) as systemd,
    ):
        values = {"secret": SECRET, "part": PART, "port": port}
        monkeypatch.setenv("CAM", f"http://me:{SECRET}@127.0.0.1:{port}/{PART}")
        monkeypatch.setenv("BAD_CAM", f"http://me:{PART}#{SECRET}@127.0.0.1:{port}/")
        fetching = threading.Thread(target=outputs.fetch_all)
        fetching.start()
        arguments = [
            "run", str(model), template.format(**values), "--duration", "60",
            "--jsonl", str(tmp_path / "seen.jsonl"), "--csv", str(tmp_path / "seen.csv"),
            "--serve", f"127.0.0.1:{outputs.page}", "--prometheus", f":{outputs.metrics}",
            "--mqtt", f"mqtt://me:{BROKER_SECRET}@127.0.0.1:{broker}/line", "--smooth", "0",
            *(["--json"] if number % 2 else []),
        ]  # fmt: skip
        result = CliRunner().invoke(main, arguments)
        outputs.ended.set()
        fetching.join()
        told = "".join(received(systemd))
    files = [path.read_text() for path in tmp_path.glob("seen.*")]
    everything = "\n".join(
        [result.output, *files, told, *outputs.fetched, *capfd.readouterr()]
        + [data.decode(errors="replace") for data in outputs.published]
    )
    check(everything)
    assert BROKER_SECRET not in everything
    if result.exit_code == 0:
        assert outputs.fetched
        assert "STATUS=" in told
        assert f"127.0.0.1:{port}" in files[0] + files[1]
    else:
        assert result.exit_code == 1
        [line] = result.stderr.splitlines()
        assert line.startswith("Error: ")


@pytest.mark.parametrize("shape", SHAPES)
def test_no_check_of_doctor_holds_a_secret(monkeypatch: pytest.MonkeyPatch, shape: str) -> None:
    monkeypatch.setattr(doctor_camera, "_DEADLINE_SECONDS", 1.0)
    template, answer = SHAPES[shape]
    with serve(answer) as port:
        source = template.format(secret=SECRET, part=PART, port=port)
        monkeypatch.setenv("CAM", f"http://me:{SECRET}@127.0.0.1:{port}/{PART}")
        monkeypatch.setenv("BAD_CAM", f"http://me:{PART}#{SECRET}@127.0.0.1:{port}/")
        for arguments in (["--camera", source], [source, "--json"]):  # the second by mistake
            result = CliRunner().invoke(main, ["doctor", *arguments])
            check(result.output)
            assert isinstance(result.exception, SystemExit | None)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_unit_holds_a_secret(
    model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shape: str
) -> None:
    monkeypatch.setattr(service_command, "_TEMPORARY", ())
    monkeypatch.setattr(service_command, "is_below_home", lambda _: True)
    own = tmp_path / "int8.tflite"
    own.write_bytes(model.read_bytes())
    source = SHAPES[shape][0].format(secret=SECRET, part=PART, port=554)
    for arguments in ([str(own), source], [source, str(own)], [str(own), "0", source]):
        result = CliRunner().invoke(main, ["service", *arguments])
        check(result.output)
        assert isinstance(result.exception, SystemExit | None)
        if arguments == [str(own), source] and SECRET in source and result.exit_code == 0:
            assert "write EDGECLF_CAMERA=… to /etc/edgeclf/edgeclf.env" in result.stderr


@pytest.mark.parametrize("shape", SHAPES)
def test_no_mistake_of_the_command_line_shows_a_secret(model: Path, shape: str) -> None:
    source = SHAPES[shape][0].format(secret=SECRET, part=PART, port=554)
    for arguments in (
        ["run", source, str(model)],
        ["run", str(model), "0", "--serve", source],
        ["run", str(model), "0", "--prometheus", source],
        ["run", str(model), "0", "--mqtt", source],
        ["run", str(model), "0", "--max-fps", source],
        ["run", str(model), "0", source],
        ["run", str(model), source, "--watch"],
        ["inspect", source],
        [source],
    ):
        result = CliRunner().invoke(main, arguments)
        check(result.output)
        assert result.exit_code in (1, 2)
