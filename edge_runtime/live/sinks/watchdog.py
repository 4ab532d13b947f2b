"""What a live run tells systemd: that it sees, what it sees, and that it still does.

The protocol is sd_notify(3): datagrams of lines, sent to the socket that the environment names.
The watchdog is fed with classified fresh frames alone, so that a service whose camera is dead is
started again, however alive its threads are.
"""

import os
import socket
from collections.abc import Callable, Mapping
from time import monotonic

from ...errors import EdgeclfError
from ..observation import Event, Observation, SourceHealth, SourceState


class Watchdog:
    """A sink that keeps the service manager informed."""

    name = "systemd"

    def __init__(
        self,
        address: str,
        *,
        timeout: float | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Send to the socket at `address`, a path, or `@` and an abstract name.

        Args:
            address: of the socket.
            timeout: after how many seconds without food the watchdog bites; None for no watchdog.
            clock: seconds that pass.
        """
        if address[:1] not in ("/", "@"):
            raise EdgeclfError(
                f"NOTIFY_SOCKET={address}: neither a path nor @ and a name; unset it, or start "
                "this as a systemd service"
            )
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._timeout = timeout
        self._clock = clock
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._ready = False
        self._fed: float | None = None
        self._number = -1
        self._seen = ""
        self._health: SourceHealth | None = None

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, *, clock: Callable[[], float] = monotonic
    ) -> "Watchdog | None":
        """Return the sink that the service manager asks for; None where there is none."""
        variables = os.environ if environment is None else environment
        address = variables.get("NOTIFY_SOCKET")
        if not address:
            return None
        # WATCHDOG_PID names whom it is meant for: sd_watchdog_enabled(3).
        meant = variables.get("WATCHDOG_PID") in (None, str(os.getpid()))
        usec = variables.get("WATCHDOG_USEC", "")
        timeout = int(usec) / 1e6 if meant and usec.isdecimal() and int(usec) else None
        return cls(address, timeout=timeout, clock=clock)

    def observe(self, observation: Observation) -> None:
        """Say once that the service is ready, and feed the watchdog every half of its patience."""
        decision = observation.decision
        self._seen = f"{decision.label} {decision.score:.2f}"
        if not self._is_fresh(observation):
            return
        self._number = observation.frame.number
        lines = []
        if not self._ready:
            lines.append("READY=1")
        now = self._clock()
        if self._timeout and (self._fed is None or now - self._fed >= self._timeout / 2):
            lines.append("WATCHDOG=1")
        # What the manager did not take is sent again with the next frame.
        if lines and self._send(*lines, self._status()):
            self._ready = True
            self._fed = now

    def report_event(self, event: Event, observation: Observation) -> None:  # noqa: ARG002
        """Show the new label in the status line."""
        self._seen = f"{event.label} {event.score:.2f}"
        self._send(self._status())

    def report_health(self, health: SourceHealth) -> None:
        """Show how the camera is in the status line."""
        self._health = health
        self._send(self._status())

    def close(self) -> None:
        """Say that the service ends by itself."""
        self._send("STOPPING=1")
        self._socket.close()

    def _is_fresh(self, observation: Observation) -> bool:
        """Tell whether a frame proves that the camera lives: new, young, its source live."""
        live = self._health is None or self._health.state is SourceState.LIVE
        young = self._timeout is None or observation.age_ms < self._timeout * 1000
        return live and young and observation.frame.number > self._number

    def _status(self) -> str:
        parts = [self._seen] if self._seen else []
        if (health := self._health) is not None:
            parts += [f"{health.fps:.1f} frames/s", health.state.value]
            parts += [health.reason] if health.reason else []
        return "STATUS=" + " ".join(", ".join(parts).split())

    def _send(self, *lines: str) -> bool:
        """Return whether the manager took the lines; it may be away, or not keep up."""
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            return False
        return True
