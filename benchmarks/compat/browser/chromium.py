"""A headless Chromium, driven over its DevTools protocol."""

import base64
import itertools
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from edgeclf.edge_runtime.errors import EdgeclfError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
PATIENCE_S = 60.0


def find_browser() -> str | None:
    """Return the path of a Chromium, if there is one."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


class Page:
    """One tab (https://chromedevtools.github.io/devtools-protocol/)."""

    def __init__(self, socket: ClientConnection) -> None:
        """Take over the tab at the other end of `socket`."""
        self._socket = socket
        self._numbers = itertools.count()
        self.errors: list[str] = []
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol, and return its result."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE_S))
            self._note_errors(message)
            if message.get("id") == number:
                if "error" in message:
                    raise EdgeclfError(f"{method}: {message['error']}")
                return dict(message["result"])

    def open(self, url: str) -> None:
        """Go to `url`, and wait until it is there with all that belongs to it."""
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression; a promise is waited for."""
        result = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in result:
            raise EdgeclfError(f"{script}: {_description(result['exceptionDetails'])}")
        return result["result"].get("value")

    def until(self, script: str, *, patience_s: float = PATIENCE_S) -> Any:
        """Return the value of an expression as soon as it is true."""
        deadline = time.monotonic() + patience_s
        while not (value := self.run(script)):
            if time.monotonic() > deadline:
                raise EdgeclfError(f"not true in {patience_s:.0f} s: {script} {self.errors}")
            time.sleep(0.05)
        return value

    def choose_file(self, selector: str, path: Path) -> None:
        """Choose a file in an input element, as a user does in the file dialogue."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def resize(self, width: int, height: int, *, dark: bool = False, phone: bool = False) -> None:
        """Become a window of this size, in pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Write what is seen as PNG, or the `whole` page."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(data["data"]))

    def _note_errors(self, message: dict[str, Any]) -> None:
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(_description(message["params"]["exceptionDetails"]))
        if message.get("method") == "Log.entryAdded":
            entry = message["params"]["entry"]
            if entry["level"] == "error":
                self.errors.append(f"{entry['text']} ({entry.get('url', '')})")


@contextmanager
def open_browser(executable: str, *switches: str) -> Iterator[Page]:
    """Start a Chromium with a profile of its own and further switches, and yield its first tab."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [executable, *_SWITCHES, *switches, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with _first_tab(_debugging_port(Path(profile), process)) as socket:
                yield Page(socket)
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def _debugging_port(profile: Path, process: "subprocess.Popen[bytes]") -> int:
    written = profile / "DevToolsActivePort"
    deadline = time.monotonic() + PATIENCE_S
    while not written.exists() or "\n" not in written.read_text():
        if process.poll() is not None:
            raise EdgeclfError(f"the browser ended with {process.returncode}")
        if time.monotonic() > deadline:
            raise EdgeclfError(f"the browser did not start within {PATIENCE_S:.0f} s")
        time.sleep(0.05)
    return int(written.read_text().splitlines()[0])


def _first_tab(port: int) -> ClientConnection:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
            tabs = [tab for tab in json.load(answer) if tab["type"] == "page"]
        if tabs:
            return connect(tabs[0]["webSocketDebuggerUrl"], max_size=None, proxy=None)
        if time.monotonic() > deadline:
            raise EdgeclfError("the browser has no tab")
        time.sleep(0.05)


def _description(details: dict[str, Any]) -> str:
    return str(details.get("exception", details).get("description", details))
