"""`edgeclf service`: a unit that systemd takes, with paths and arguments as they were given."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from skips import require_program

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.live.sources.address import CameraAddress
from edgeclf.edge_runtime.run_command import run
from edgeclf.edge_runtime.service import command as service_command
from edgeclf.edge_runtime.service.command import install_unit
from edgeclf.edge_runtime.service.private import write_environment
from edgeclf.edge_runtime.service.unit import (
    Service,
    below_homes,
    quoted,
    quoted_argument,
    unit_text,
)

USB = CameraAddress.parse("/dev/video0")
SERVICE = Service("edgeclf", Path("/opt/models/int8.tflite"), "/dev/video0", USB, (), None)
HARD = (
    "a b", "100%", "%h/x", "$HOME", "${X}", 'say "x"', "it's", "back\\slash", "\\n", ";", "é ü",
    "a:b", "", "#", "--x=a b", "rtsp://me:p%40ss@cam/live?x=1&y=2",
)  # fmt: skip


@pytest.fixture
def model(tiny_models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A model in a folder that does not count as temporary, nor as closed, which pytest's are."""
    monkeypatch.setattr(service_command, "_TEMPORARY", ())
    monkeypatch.setattr(service_command, "is_below_home", lambda _: True)
    path = tmp_path / "my models" / "int8 50%.tflite"
    path.parent.mkdir()
    path.write_bytes((tiny_models / "int8.tflite").read_bytes())
    return path


def settings(text: str) -> dict[str, list[str]]:
    """Return the settings of a unit, each with all its values."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and line[0] not in "[#":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def words(value: str, *, variables: bool) -> Iterator[str]:
    """Split a value as systemd does: systemd.syntax(7), quoting; then the specifiers."""
    at = 0
    while at < len(value):
        if value[at] == " ":
            at += 1
            continue
        word, quote = "", ""
        while at < len(value) and (quote or value[at] != " "):
            character = value[at]
            if character == "\\":
                at += 1
                assert value[at] in '\\"', "an escape that is no backslash or quote"
                word += value[at]
            elif character == quote:
                quote = ""
            elif character in "\"'" and not quote and not word:
                quote = character
            else:
                assert quote or character not in "\"'"
                word += character
            at += 1
        assert not quote
        for special in "%$" if variables else "%":
            assert special not in word.replace(special * 2, "")
            word = word.replace(special * 2, special)
        yield word


@pytest.mark.parametrize("word", HARD)
def test_words_come_back_as_they_were(word: str) -> None:
    line = f"x {quoted_argument(word)} y"
    assert list(words(line, variables=True)) == ["x", word, "y"]
    assert list(words(f"x {quoted(word)} y", variables=False)) == ["x", word, "y"]


@pytest.mark.parametrize("word", ["two\nlines", "bell\a"])
def test_what_no_unit_can_hold_is_refused(word: str) -> None:
    with pytest.raises(EdgeclfError, match="which no systemd unit can; rename it"):
        quoted(word)


def test_the_command_is_the_one_that_was_asked_for() -> None:
    service = replace(SERVICE, options=HARD)
    [command] = settings(unit_text(service))["ExecStart"]
    python, *arguments = words(command, variables=True)
    assert Path(python).exists()
    assert arguments == [
        "-I", "-u", "-m", "edgeclf", "run", "/opt/models/int8.tflite", "/dev/video0", *HARD
    ]  # fmt: skip


def test_the_unit_is_watched_and_locked_up() -> None:
    unit = settings(unit_text(SERVICE))
    expected = {
        "Type": "notify", "NotifyAccess": "main", "Restart": "on-failure", "DynamicUser": "yes",
        "ProtectSystem": "strict", "PrivateTmp": "yes", "NoNewPrivileges": "yes",
        "StateDirectory": "edgeclf", "WorkingDirectory": "%S/edgeclf", "WatchdogSec": "60",
        "SupplementaryGroups": "video", "CapabilityBoundingSet": "",
        "EnvironmentFile": "-/etc/edgeclf/edgeclf.env",
    }  # fmt: skip
    assert {name: unit[name] for name in expected} == {
        name: [value] for name, value in expected.items()
    }
    assert "char-video4linux rw" in unit["DeviceAllow"]
    assert "PrivateDevices" not in unit
    assert "MemoryMax" not in unit
    assert settings(unit_text(replace(SERVICE, memory_max="512M")))["MemoryMax"] == ["512M"]
    # A start that waits for a camera, and a restart by the watchdog, must not use up the limit.
    seconds, starts = (int(unit[name][0]) for name in ("StartLimitIntervalSec", "StartLimitBurst"))
    wait = int(unit["RestartSec"][0])
    assert wait * starts < seconds < starts * (wait + int(unit["WatchdogSec"][0]))


def test_a_camera_in_the_network_gets_no_device() -> None:
    camera = CameraAddress.parse("rtsp://me:secret@cam/live?token=1")
    unit = settings(unit_text(replace(SERVICE, source="secret:CAM", camera=camera)))
    assert unit["PrivateDevices"] == ["yes"]
    assert "SupplementaryGroups" not in unit
    assert unit["After"] == ["network-online.target"]
    assert unit["Description"] == ["edgeclf: int8.tflite on rtsp://cam/live"]
    assert "network-online.target" not in unit_text(SERVICE)


def test_a_model_in_a_home_is_bound_and_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sys.prefix", "sys.base_prefix"):
        monkeypatch.setattr(name, "/usr")
    monkeypatch.setattr(
        "edgeclf.edge_runtime.service.unit.__file__", "/usr/lib/edgeclf/a/b/unit.py"
    )
    assert settings(unit_text(SERVICE))["ProtectHome"] == ["yes"]
    monkeypatch.setattr("sys.prefix", "/home/pi/my venv")
    monkeypatch.setattr(
        "edgeclf.edge_runtime.service.unit.__file__", "/home/pi/my venv/lib/edgeclf/a/b/unit.py"
    )
    service = replace(SERVICE, model=Path("/home/pi/50%/int8.tflite"))
    assert below_homes(service) == [Path("/home/pi/50%/int8.tflite"), Path("/home/pi/my venv")]
    unit = settings(unit_text(service))
    assert unit["ProtectHome"] == ["tmpfs"]
    [bound] = unit["BindReadOnlyPaths"]
    assert list(words(bound, variables=False)) == ["/home/pi/50%/int8.tflite", "/home/pi/my venv"]


@pytest.mark.parametrize("name", ["", "a/b", "-x", "a b", "a%b", "ü"])
def test_a_name_that_systemd_would_not_take(name: str) -> None:
    with pytest.raises(EdgeclfError, match="no name for a service"):
        replace(SERVICE, name=name)


@pytest.mark.parametrize("size", ["", "much", "1.5G", "512MB", "1G\nUser=root"])
def test_a_size_that_systemd_would_not_take(size: str) -> None:
    with pytest.raises(EdgeclfError, match="no size of memory"):
        replace(SERVICE, memory_max=size)


def test_the_command_prints_the_unit(cli, model: Path) -> None:
    shown = cli("service", model, "0", "--threshold", 0.5, "--memory-max", "1G", "--name", "line-1")
    unit = settings(shown.output)
    [command] = unit["ExecStart"]
    arguments = list(words(command, variables=True))[5:]
    assert arguments == ["run", str(model), "0", "--threshold", "0.5"]
    assert unit["StateDirectory"] == ["line-1"]
    assert unit["MemoryMax"] == ["1G"]


def test_a_source_that_is_a_file_is_found_from_anywhere(cli, model, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(b"x")
    result = cli("service", model, "clip.mp4", "--realtime")
    [command] = settings(result.output)["ExecStart"]
    assert list(words(command, variables=True))[-2:] == [str(tmp_path / "clip.mp4"), "--realtime"]


def test_a_path_with_two_dots_is_one_that_systemd_takes(cli, model, tmp_path, monkeypatch) -> None:
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    given = Path("..") / model.relative_to(tmp_path)
    [command] = settings(cli("service", given, "0").output)["ExecStart"]
    assert list(words(command, variables=True))[6] == str(model)


SECRET_WORDS = {
    ("rtsp://me:s3cret@cam/live",): {"EDGECLF_CAMERA": "rtsp://me:s3cret@cam/live"},
    ("http://cam/x?key=s3cret$'",): {"EDGECLF_CAMERA": "http://cam/x?key=s3cret$'"},
    ("0", "--token", "s3cret-s3cret", "--serve", "8080"): {"EDGECLF_TOKEN": "s3cret-s3cret"},
    ("0", "--token=s3cret-s3cret"): {"EDGECLF_TOKEN": "s3cret-s3cret"},
    ("0", "--mqtt", "mqtts://me:s3cr%40et@[::1]/a/b"): {"EDGECLF_MQTT_PASSWORD": "s3cr@et"},
    ("rtsp://cam?s3cret", "--mqtt=mqtt://m%40e:s3cret@broker"): {
        "EDGECLF_CAMERA": "rtsp://cam?s3cret", "EDGECLF_MQTT_PASSWORD": "s3cret",
    },
}  # fmt: skip


@pytest.mark.parametrize("given", list(SECRET_WORDS), ids=range(len(SECRET_WORDS)))
def test_a_secret_on_the_command_line_is_warned_of_and_not_in_the_unit(
    cli, model: Path, given: tuple[str, ...]
) -> None:
    result = cli("service", model, *given)
    assert "s3cr" not in result.output
    assert "Warning: the command line holds what may be a secret" in result.stderr
    for name in SECRET_WORDS[given]:
        assert f"{name}=…" in result.stderr
        assert "/etc/edgeclf/edgeclf.env" in result.stderr
    assert "Warning" not in result.stdout
    [command] = settings(result.stdout)["ExecStart"]
    arguments = list(words(command, variables=True))[5:]
    # The same without the secret makes the same unit, without a warning.
    again = cli("service", model, *arguments[2:])
    assert settings(again.stdout)["ExecStart"] == [command]
    assert again.stderr == ""
    # What run makes of it is what was given.
    context = run.make_context("run", ["m", given[0]])
    [address] = context.params["sources"]
    unit_address = CameraAddress.parse(arguments[2])
    assert unit_address is not None
    assert unit_address.resolved(SECRET_WORDS[given]) == address


def test_an_option_that_holds_an_address_is_refused(cli, model: Path) -> None:
    result = cli("service", model, "0", "rtsp://me:s3cret@cam/live", code=1)
    assert "give the camera as SOURCE" in result.stderr
    assert "2 sources" in cli("service", model, "0", "1", code=1).stderr
    assert "cannot be read" in cli("service", model, "0", "--mqtt", "mqtt://:s3cret", code=1).stderr
    assert "s3cret" not in result.output


def test_secrets_go_into_a_file_for_root_alone(tmp_path: Path) -> None:
    path = tmp_path / "edgeclf" / "line.env"
    write_environment(path, {"A": "one", "B": "two"})
    hard = "x y#'\"\\$HOME`é"
    write_environment(path, {"B": hard})
    assert path.read_text() == 'A="one"\nB="x y#\'\\"\\\\\\$HOME\\`é"\n'
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    done = subprocess.run(
        ["sh", "-c", f'. {path}; printf %s "$B"'], capture_output=True, text=True, check=True
    )
    assert done.stdout == hard  # a shell reads such a value as systemd does
    with pytest.raises(EdgeclfError, match="B: holds a control character"):
        write_environment(path, {"B": "two\nlines"})
    path.write_bytes(b"\xff")
    with pytest.raises(EdgeclfError, match=r"line\.env: cannot be read"):
        write_environment(path, {"B": "1"})


def test_what_run_would_refuse_is_refused_now(cli, model: Path, tmp_path: Path) -> None:
    unknown = cli("service", model, "0", "--frobnicate", code=2).output
    # Click has changed its words.
    assert re.search("No such option(: --frobnicate| '--frobnicate')", unknown)
    assert "2.0 is not in the range" in cli("service", model, "0", "--threshold", 2, code=2).output
    assert "a photograph, which soon is" in cli("service", model, "a.jpg", code=1).output
    for path in (tmp_path / "a.jsonl", "../a.jsonl", "a/../../b.jsonl", "/var/lib/other/a.jsonl"):
        result = cli("service", model, "0", "--jsonl", path, code=1)
        assert "the service may write below /var/lib/edgeclf alone" in result.output
    for path in ("a.jsonl", "a/../b.jsonl", "/var/lib/edgeclf/a.jsonl"):
        cli("service", model, "0", "--jsonl", path)
    result = cli("service", model, tmp_path, "--watch", code=1)
    assert "--watch: not for a service" in result.output


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (("0", "--class-threshold", "dent=1"), "'dent', which is no class"),
        (("0", "--smooth", "1", "--vote", "2/3"), "exclude each other"),
        (("0", "--heatmap", "maps"), "not for a live run"),
        (("0", "--record", "x.mp4"), "name it x.avi"),
        (("0", "--serve", "--token", "short"), "--token: expected 12 or more"),
        (("0", "--threads", "5000"), "threads 5000: give 1 to 1024"),
        (("0", "--mqtt", "mqtt://"), "the address of the MQTT broker cannot be read"),
        (("0", "--realtime", "1"), "2 sources to watch: give one"),
        (("nosuch",), "nosuch: no such file"),
        (("nosuch.mp4", "--realtime"), "nosuch.mp4: no such file"),
        (("folder",), "no camera, and a service ends once files are classified"),
        (("clip.mp4",), "no camera, and a service ends once files are classified"),
        (("--watch",), "--watch: an option in place of SOURCE"),
    ],
)
def test_service_refuses_what_run_refuses(
    cli, model: Path, systemd: Path, monkeypatch, given: tuple[str, ...], line: str
) -> None:
    (systemd / "folder").mkdir()
    for path in (systemd / "clip.mp4", systemd / "folder" / "photo.png"):
        path.write_bytes(b"x")
    monkeypatch.chdir(systemd)
    result = cli("service", model, *given, "--install", code=1)
    assert line in result.stderr
    assert (result.stdout, result.stderr.count("\n")) == ("", 1)
    assert list((systemd / "units").iterdir()) == []
    is_runs = "service" not in line and "SOURCE" not in line
    assert not is_runs or line in cli("run", model, *given, code=1).stderr


@pytest.mark.parametrize(
    ("option", "value", "module", "extra"),
    [
        ("--serve", "8080", "uvicorn", "web"),
        ("--mqtt", "mqtt://broker", "paho.mqtt.client", "mqtt"),
        ("--prometheus", "9464", "prometheus_client", "prometheus"),
    ],
)
def test_an_extra_that_is_missing_is_known_now(
    cli, model: Path, monkeypatch, option: str, value: str, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    result = cli("service", model, "0", option, value, code=1)
    assert f"pip install 'edgeclf[{extra}]'" in result.stderr
    assert result.stdout == ""


def test_a_model_that_the_service_could_not_read(cli, model: Path, monkeypatch) -> None:
    model.chmod(0o640)
    assert "chmod a+r" in cli("service", model, "0", code=1).output
    model.chmod(0o644)
    monkeypatch.setattr(service_command, "is_below_home", lambda _: False)
    model.parent.chmod(0o750)
    assert f"chmod a+x {model.parent}" in cli("service", model, "0", code=1).output
    monkeypatch.setattr(service_command, "is_below_home", lambda _: True)
    monkeypatch.setattr(service_command, "_TEMPORARY", (model.parents[1],))
    assert "is emptied at each start" in cli("service", model, "0", code=1).output
    assert "cannot be read" in cli("service", model.parent / "no.tflite", "0", code=1).output


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a systemctl that notes what it is asked."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "units").mkdir()
    tool = tmp_path / "bin" / "systemctl"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    monkeypatch.setattr(service_command, "_UNITS", tmp_path / "units")
    monkeypatch.setattr(service_command, "_BOOTED", tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return tmp_path


def test_it_is_installed_and_the_next_command_named(systemd: Path) -> None:
    answer = install_unit("[Unit]\n", name="edgeclf")
    assert [path.name for path in (systemd / "units").iterdir()] == ["edgeclf.service"]
    assert (systemd / "units/edgeclf.service").read_text() == "[Unit]\n"
    assert (systemd / "asked").read_text() == "daemon-reload\n"
    assert "next: systemctl enable --now edgeclf\n" in answer
    answer = install_unit("[Unit]\n# new\n", name="edgeclf")
    assert "next: systemctl enable --now edgeclf && systemctl restart edgeclf\n" in answer


def test_an_installation_brings_its_secrets(
    cli, model: Path, systemd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_command, "ENVIRONMENTS", systemd / "environments")
    result = cli("service", model, "rtsp://me:s3cret@cam/live", "--install", "--name", "line")
    path = systemd / "environments" / "line.env"
    assert path.read_text() == 'EDGECLF_CAMERA="rtsp://me:s3cret@cam/live"\n'
    assert f"{path} holds it now, for root alone" in result.stderr
    assert "s3cret" not in result.output + (systemd / "units/line.service").read_text()


def test_what_hinders_an_installation_is_one_line(systemd: Path, monkeypatch) -> None:
    (systemd / "bin/systemctl").write_text("#!/bin/sh\necho no bus >&2\nexit 1\n")
    with pytest.raises(EdgeclfError, match=r"`systemctl daemon-reload` failed \(no bus\)"):
        install_unit("", name="edgeclf")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(EdgeclfError, match="only root can write there; sudo "):
        install_unit("", name="another")
    monkeypatch.setattr(service_command, "_BOOTED", systemd / "nowhere")
    with pytest.raises(EdgeclfError, match="systemd does not run this machine"):
        install_unit("", name="another")
    assert not (systemd / "units/another.service").exists()


@pytest.mark.parametrize("source", ["/dev/video0", "rtsp://cam/live"])
def test_systemd_takes_the_unit(tmp_path: Path, source: str) -> None:
    analyze = require_program("systemd-analyze")
    unit = tmp_path / "edgeclf.service"
    camera = CameraAddress.parse(source)
    service = replace(SERVICE, source=source, camera=camera, options=HARD, memory_max="512M")
    unit.write_text(unit_text(service))
    done = subprocess.run(
        [analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "edgeclf.service" in line]
    assert (done.returncode, ours) == (0, [])
