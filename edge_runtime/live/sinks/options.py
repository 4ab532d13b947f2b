"""The options of `edgeclf run` that say where the results of a live run go."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...command_line.option_types import FiniteRange, whole_number
from ...command_line.warning import echo_warning

# `edgeclf run photo.jpg` reads the options, too, and waits for no camera's code.
if TYPE_CHECKING:
    from ..observation import Sink
    from .mqtt.home_assistant import Device
    from .queued import Outlet, Warn

_Command = TypeVar("_Command", bound=Callable[..., Any])

_LOOPBACK = "127.0.0.1"
# Pictures are large: a 1080p frame has 6 MB.
_ROWS_THAT_WAIT, _PICTURES_THAT_WAIT = 256, 4


@dataclass(frozen=True)
class SinkOptions:
    """What the options of `sink_options` were set to.

    Attributes:
        jsonl: file for a JSON object a frame, event and state of the camera.
        csv: file for a row a frame.
        events: folder for pictures of events.
        record: .avi file for a video of what was seen.
        uncertain: folder for frames that the model is not sure of.
        uncertain_cap: what that folder may take, in 10^6 bytes.
        mqtt: URL of a broker; it may hold a password.
        prometheus: host and port to serve metrics at.
    """

    jsonl: Path | None = None
    csv: Path | None = None
    events: Path | None = None
    record: Path | None = None
    uncertain: Path | None = None
    uncertain_cap: float = 500.0
    mqtt: str | None = field(default=None, repr=False)
    prometheus: tuple[str, int] | None = None

    @property
    def written(self) -> tuple[Path, ...]:
        """Return the files and folders that are written to."""
        paths = (self.jsonl, self.csv, self.events, self.record, self.uncertain)
        return tuple(path for path in paths if path is not None)

    def check(self) -> None:
        """Refuse what could not be opened, regardless of the disk and the network.

        Raises:
            EdgeclfError: names the option or its value.
        """
        if self.record is not None:
            from .files.video import check_name

            check_name(self.record)
        if self.mqtt is not None:
            from .mqtt.address import MqttAddress
            from .mqtt.publisher import require_paho

            MqttAddress.parse(self.mqtt, os.environ)
            require_paho()
        if self.prometheus is not None:
            from .prometheus import require_prometheus_client

            require_prometheus_client()

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "SinkOptions":
        """Return what is ours of the parameters of a command, by name."""
        return cls(**{each.name: values[each.name] for each in fields(cls)})


def _read_host_port(_ctx: Any, _option: Any, value: str | None) -> tuple[str, int] | None:
    if value is None:
        return None
    host, _, digits = value.rpartition(":")
    port = whole_number(digits, most=65535)
    if port is None:
        raise click.BadParameter(f"{value!r}: give HOST:PORT, such as {_LOOPBACK}:9464")
    return host.strip("[]") or _LOOPBACK, port


_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)
_OPTIONS = (
    click.option(
        "--jsonl",
        type=_FILE,
        help="File to append frames, events and camera states to, as JSON lines.",
    ),
    click.option(
        "--csv",
        type=_FILE,
        help="CSV file for a row per image or frame, appended in a live run.",
    ),
    click.option("--events", type=_FOLDER, help="Folder for a picture of each event."),
    click.option("--record", type=_FILE, help="AVI file to record the frames to."),
    click.option(
        "--uncertain",
        type=_FOLDER,
        help="Folder for frames that the model is unsure of, to be labelled.",
    ),
    click.option(
        "--uncertain-cap",
        default=500.0,
        show_default=True,
        type=FiniteRange(min=1),
        metavar="MB",
        help="Disk space of the --uncertain folder; the oldest frames are deleted.",
    ),
    click.option(
        "--mqtt",
        metavar="URL",
        help="MQTT broker to publish to: mqtt[s]://user:password@host:port/prefix; the password "
        "also from EDGECLF_MQTT_PASSWORD.",
    ),
    click.option(
        "--prometheus",
        callback=_read_host_port,
        metavar="HOST:PORT",
        help=f"Address to serve Prometheus metrics at. [default host: {_LOOPBACK}]",
    ),
)


def sink_options(function: _Command) -> _Command:
    """Add the options to a command; `SinkOptions.of` takes what it gets for them."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def open_sinks(
    options: SinkOptions,
    *,
    labels: Sequence[str],
    device: "Device | None" = None,
    warn: "Warn | None" = None,
) -> "list[Sink]":
    """Open what was asked for; `close_sinks` ends it.

    Args:
        options: as given.
        labels: the model's classes.
        device: that watches, for Home Assistant.
        warn: what is called with a line of text when a sink has trouble, from any thread; by
            default it goes to standard error.

    Raises:
        EdgeclfError: one cannot be opened; none is left open.
    """
    from .queued import QueuedSink, close_sinks

    warn = warn or echo_warning
    queued: list[QueuedSink[Any]] = []
    try:
        for outlet, bound in _outlets(options, labels, device, warn):
            queued.append(QueuedSink(outlet, bound=bound, warn=warn))
        sinks: list[Sink] = [*queued]
        if options.prometheus is not None:
            from .prometheus import Prometheus

            sinks.append(Prometheus(*options.prometheus, labels=labels, queued=queued))
    except BaseException:
        close_sinks(queued)
        raise
    return sinks


def _outlets(
    options: SinkOptions, labels: Sequence[str], device: "Device | None", warn: "Warn"
) -> Iterator[tuple["Outlet[Any]", int]]:
    if options.jsonl is not None:
        from .files.line_files import JsonLines

        yield JsonLines(options.jsonl), _ROWS_THAT_WAIT
    if options.csv is not None:
        from .files.line_files import CsvTable

        yield CsvTable(options.csv), _ROWS_THAT_WAIT
    if options.events is not None:
        from .files.pictures import EventPictures

        yield EventPictures(options.events), _PICTURES_THAT_WAIT
    if options.record is not None:
        from .files.video import VideoFile

        yield VideoFile(options.record), _PICTURES_THAT_WAIT
    if options.uncertain is not None:
        from .files.pictures import UncertainConfig, UncertainFrames

        config = UncertainConfig(cap_mb=options.uncertain_cap)
        yield UncertainFrames(options.uncertain, config), _PICTURES_THAT_WAIT
    if options.mqtt is not None:
        from .mqtt.address import MqttAddress
        from .mqtt.publisher import Mqtt

        address = MqttAddress.parse(options.mqtt, os.environ)
        yield Mqtt(address, labels=labels, device=device, warn=warn), _ROWS_THAT_WAIT
