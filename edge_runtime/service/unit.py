"""A systemd unit that runs a model on a camera, and can do little else."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import EdgeclfError
from ..live.sources.address import CameraAddress

# Where each service has its file of secrets.
ENVIRONMENTS = Path("/etc/edgeclf")
# What ProtectHome= hides: systemd.exec(5).
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
# Devices of cameras by their names in /proc/devices; libcamera needs all three.
_CAMERA_DEVICES = ("video4linux", "media", "dma_heap")
# Of accelerators, by the same names: GPUs, NPUs of the kernel's `accel`, Coral's on PCIe and USB.
_ACCELERATOR_DEVICES = ("drm", "accel", "apex", "usb_device")
_ACCELERATOR_GROUPS = ("render", "apex", "plugdev")
# Words that are taken as they stand.
_PLAIN = re.compile(r"[\w@+,./:=-]+", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_MEMORY = re.compile(r"[0-9]+[KMGT%]?")


@dataclass(frozen=True)
class Service:
    """What is to be run.

    Attributes:
        name: of the unit, and of its folder below /var/lib.
        model: absolute path of the .tflite file.
        source: the camera, as `edgeclf run` takes it, without a secret; paths are absolute.
        camera: its address; None for a video or a folder.
        options: further options of `edgeclf run`.
        memory_max: the most memory it may take, as systemd has it (`512M`); None for no limit.
        accelerator: the value of that option of `edgeclf run`.
    """

    name: str
    model: Path
    source: str
    camera: CameraAddress | None
    options: tuple[str, ...]
    memory_max: str | None
    accelerator: str = "cpu"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise EdgeclfError(
                f"{self.name!r}: no name for a service; give letters, digits, - _ and . alone"
            )
        if self.memory_max is not None and not _MEMORY.fullmatch(self.memory_max):
            raise EdgeclfError(f"{self.memory_max!r}: no size of memory; give one as 512M or 1G")

    @property
    def needs_device(self) -> bool:
        """Whether the camera is one of this machine, and no address or file."""
        return self.camera is not None and not self.camera.is_network


def unit_text(service: Service) -> str:
    """Return the unit file.

    The service is ready with its first classified frame, and is ended and started again when none
    comes for a minute: `live/sinks/watchdog.py`. It may write in its own folder below /var/lib
    alone.
    """
    sections = {
        "Unit": _unit_lines(service),
        "Service": [
            *_run_lines(service), "", *_write_lines(service), "", *_hidden_lines(service), "",
            *_device_lines(service), "", *_limit_lines(service),
        ],
        "Install": ["WantedBy=multi-user.target"],
    }  # fmt: skip
    return "\n\n".join(
        "\n".join([f"[{section}]", *lines]) for section, lines in sections.items()
    ) + "\n"  # fmt: skip


def _unit_lines(service: Service) -> list[str]:
    watched = service.camera.name if service.camera is not None else service.source
    text = f"edgeclf: {service.model.name} on {watched}"
    network = ["Wants=network-online.target", "After=network-online.target"]
    return [
        f"Description={_specifiers(text)}",
        *(network if service.camera is not None and service.camera.is_network else []),
        "# Five failures in a row within two minutes are no broken camera, but a broken set-up.",
        "StartLimitIntervalSec=120",
        "StartLimitBurst=5",
    ]


def _run_lines(service: Service) -> list[str]:
    # -I: neither the working folder nor a variable changes what Python imports; -u: lines come to
    # the journal when they are written.
    command = [
        sys.executable, "-I", "-u", "-m", "edgeclf", "run", str(service.model), service.source,
        *service.options,
    ]  # fmt: skip
    return [
        "Type=notify",
        "NotifyAccess=main",
        "ExecStart=" + " ".join([quoted(command[0]), *map(quoted_argument, command[1:])]),
        "# For passwords that run takes from its environment; root alone has to read it.",
        f"EnvironmentFile=-{ENVIRONMENTS}/{service.name}.env",
        "TimeoutStartSec=90",
        "# Fed with each fresh frame that was classified, and with nothing else.",
        "WatchdogSec=60",
        "WatchdogSignal=SIGTERM",
        "TimeoutStopSec=10",
        "Restart=on-failure",
        "RestartSec=10",
        "# Wrong options stay wrong.",
        "RestartPreventExitStatus=2",
        "SuccessExitStatus=130 143",
    ]


def _write_lines(service: Service) -> list[str]:
    return [
        "DynamicUser=yes",
        f"StateDirectory={service.name}",
        f"WorkingDirectory=%S/{service.name}",
        "UMask=0077",
        "ProtectSystem=strict",
        "PrivateTmp=yes",
    ]


def _hidden_lines(service: Service) -> Iterator[str]:
    bound = below_homes(service)
    if not bound:
        yield "ProtectHome=yes"
        return
    # A copy in /var/lib would grow old unseen; this is the file itself, and a home that is
    # closed to others does not matter.
    yield "# Of the homes it sees this alone, and cannot write there."
    yield "ProtectHome=tmpfs"
    yield "BindReadOnlyPaths=" + " ".join(quoted(str(path)) for path in bound)


def _device_lines(service: Service) -> list[str]:
    families = "AF_UNIX AF_INET AF_INET6"
    accelerated = service.accelerator != "cpu"
    if not (service.needs_device or accelerated):
        return ["PrivateDevices=yes", f"RestrictAddressFamilies={families}"]
    groups = [name for name in _ACCELERATOR_GROUPS if accelerated and _has_group(name)]
    devices = _CAMERA_DEVICES + (_ACCELERATOR_DEVICES if accelerated else ())
    return [
        f"SupplementaryGroups={' '.join(['video', *groups])}",
        "DevicePolicy=closed",
        *(f"DeviceAllow=char-{name} rw" for name in devices),
        "# Netlink is how libcamera learns of cameras.",
        f"RestrictAddressFamilies={families} AF_NETLINK",
    ]


def _has_group(name: str) -> bool:
    """Tell whether this machine has a group; systemd starts no service that names another."""
    import grp

    return any(group.gr_name == name for group in grp.getgrall())


def _limit_lines(service: Service) -> list[str]:
    limits = [
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "ProtectKernelTunables=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelLogs=yes",
        "ProtectControlGroups=yes",
        "ProtectClock=yes",
        "ProtectHostname=yes",
        "ProtectProc=invisible",
        "RestrictNamespaces=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "LockPersonality=yes",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
        "SystemCallErrorNumber=EPERM",
    ]
    if service.memory_max is not None:
        limits.append(f"MemoryMax={service.memory_max}")
    return limits


def is_below_home(path: Path) -> bool:
    """Tell whether ProtectHome= hides `path`."""
    return any(home in path.parents for home in _HOMES)


def below_homes(service: Service) -> list[Path]:
    """Return what the service reads that ProtectHome= would hide, none within another.

    That is the model, files among its source and options, and the Python that runs this.
    """
    library = service.accelerator.partition(";")[0]
    words = [Path(word) for word in (service.source, library, *service.options)]
    read = [
        service.model, service.model.resolve(), Path(sys.prefix), Path(sys.base_prefix),
        Path(__file__).parents[2],
        *(path for path in words if path.is_absolute() and path.exists()),
    ]  # fmt: skip
    hidden = set(filter(is_below_home, read))
    return sorted(path for path in hidden if not hidden.intersection(path.parents))


def quoted(word: str) -> str:
    """Return `word` as systemd reads it back from a setting: systemd.syntax(7), specifiers too."""
    escaped = _specifiers(word)
    if _PLAIN.fullmatch(escaped.replace("%%", "")):
        return escaped
    escaped = escaped.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def quoted_argument(word: str) -> str:
    """Return `word` as an argument of ExecStart=, where $ stands for variables, too."""
    return quoted(word.replace("$", "$$"))


def _specifiers(text: str) -> str:
    controls = [character for character in text if ord(character) < 32 or character == "\x7f"]
    if controls:
        raise EdgeclfError(f"{text!r}: holds {controls[0]!r}, which no systemd unit can; rename it")
    return text.replace("%", "%%")
