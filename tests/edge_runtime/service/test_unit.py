"""`edgeclf service`: a unit that systemd takes, with paths and arguments as they were given."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from skips import require_program

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.service import command as service_command
from edgeclf.edge_runtime.service.command import install_unit
from edgeclf.edge_runtime.service.unit import (
    Service,
    below_homes,
    quoted,
    quoted_argument,
    unit_text,
)

SERVICE = Service("edgeclf", Path("/opt/models/int8.tflite"), "/dev/video0", (), None)
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
    unit = settings(unit_text(replace(SERVICE, source="rtsp://me:secret@cam/live?token=1")))
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
    [command] = settings(cli("service", model, "clip.mp4").output)["ExecStart"]
    assert list(words(command, variables=True))[-1] == str(tmp_path / "clip.mp4")


def test_a_password_in_the_unit_is_warned_of(cli, model: Path) -> None:
    result = cli("service", model, "rtsp://me:secret@cam/live")
    assert "Warning: the unit holds the camera's password" in result.stderr
    assert "Warning" not in result.stdout


def test_what_run_would_refuse_is_refused_now(cli, model: Path, tmp_path: Path) -> None:
    assert "No such option '--frobnicate'" in cli(
        "service", model, "0", "--frobnicate", code=2
    ).output  # fmt: skip
    assert "2.0 is not in the range" in cli("service", model, "0", "--threshold", 2, code=2).output
    assert "a photograph, which soon is" in cli("service", model, "a.jpg", code=1).output
    result = cli("service", model, "0", "--heatmap", tmp_path / "maps", code=1)
    assert "the service may write below /var/lib/edgeclf alone" in result.output
    cli("service", model, "0", "--heatmap", "maps")


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
    unit.write_text(unit_text(replace(SERVICE, source=source, options=HARD, memory_max="512M")))
    done = subprocess.run(
        [analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "edgeclf.service" in line]
    assert (done.returncode, ours) == (0, [])
