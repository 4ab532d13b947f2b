"""`edgeclf doctor`: each line is ok or has the mend, under the files of other machines."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from schemas import valid

from edgeclf.edge_runtime.doctor import camera, machine, model, software
from edgeclf.edge_runtime.doctor.camera import camera_checks
from edgeclf.edge_runtime.doctor.check import Check
from edgeclf.edge_runtime.doctor.machine import machine_checks
from edgeclf.edge_runtime.doctor.model import model_checks
from edgeclf.edge_runtime.doctor.software import software_checks
from edgeclf.edge_runtime.model_file.container import flatbuffer_size, read_model, write_model

THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
GOVERNOR = "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
PI = {
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/cpuinfo": "CPU implementer\t: 0x41\nCPU part\t: 0xd0b\n",
    "proc/meminfo": "MemTotal:        8256044 kB\nMemAvailable:    7000000 kB\n",
    "proc/loadavg": "0.02 0.40 0.31 1/180 1234\n",
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "61150\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2400000\n",
    GOVERNOR: "ondemand\n",
    THROTTLED: "0\n",
    "dev/video0": "",
    "dev/video19": "",
    "sys/class/video4linux/video0/name": "HD Webcam C270\n",
    "sys/class/video4linux/video19/name": "pispbe-input\n",
}


@pytest.fixture
def pi(tmp_path: Path) -> Callable[..., Path]:
    """The root of a Raspberry Pi in good order, but for what is given."""

    def make(content: dict[str, str] | None = None) -> Path:
        for name, text in (PI | (content or {})).items():
            (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "root" / name).write_text(text)
        return tmp_path / "root"

    return make


def by_name(checks) -> dict[str, Check]:
    found = {check.name: check for check in checks}
    for check in found.values():
        assert (check.state in ("warning", "failed")) == bool(check.mend), check
        assert "\n" not in check.detail + check.mend
    return found


def test_a_raspberry_pi_in_good_order(pi, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(machine, "clock_synchronised", lambda: True)
    monkeypatch.setattr(machine, "usable_cores", lambda: 4)
    checks = by_name(machine_checks(tmp_path, root=pi()))
    assert {check.state for check in checks.values()} == {"ok"}
    assert checks["board"].detail == "Raspberry Pi 5 Model B Rev 1.0, Cortex-A76"
    assert checks["memory"].detail == "7.2 of 8.5 GB available"
    assert checks["cores"].detail == "4 cores at 2400 MHz, governor ondemand"
    assert checks["temperature"].detail == "61.1 °C"
    assert checks["throttling"].detail == "none since the start"


@pytest.mark.parametrize(
    ("content", "name", "state", "detail", "mend"),
    [
        ({THROTTLED: "0x50005"}, "throttling", "failed",
         "under-voltage now, throttled now, under-voltage since", "power supply, and no thin"),
        ({THROTTLED: "0x10000"}, "throttling", "warning", "under-voltage since the start", "power"),
        ({THROTTLED: "0x80008"}, "throttling", "warning", "soft temperature limit now", "a fan"),
        ({THROTTLED: "what"}, "throttling", "skipped", "does not tell", ""),
        ({GOVERNOR: "powersave\n"}, "cores", "warning", "governor powersave", "ondemand"),
        ({GOVERNOR: "powersave\n", GOVERNOR.replace("governor", "driver"): "intel_pstate\n"},
         "cores", "ok", "governor powersave", ""),
        ({"sys/class/thermal/thermal_zone0/temp": "80000\n"},
         "temperature", "warning", "80.0", "fan"),
        ({"proc/loadavg": "4.00 1 1 1/1 1\n"}, "load", "warning", "4.00", "`top`"),
        ({"proc/meminfo": "MemTotal: 948000 kB\nMemAvailable: 200000 kB\n"},
         "memory", "warning", "0.2 of 1.0 GB", "end other programs"),
        ({"proc/meminfo": ""}, "memory", "skipped", "does not tell", ""),
    ],
)  # fmt: skip
def test_what_slows_a_machine_is_named_with_the_mend(
    pi, tmp_path: Path, monkeypatch, content, name, state, detail, mend
) -> None:
    monkeypatch.setattr(machine, "usable_cores", lambda: 4)
    check = by_name(machine_checks(tmp_path, root=pi(content)))[name]
    assert check.state == state
    assert detail in check.detail
    assert mend in check.mend


def test_a_machine_that_says_nothing(tmp_path: Path) -> None:
    checks = by_name(machine_checks(tmp_path, root=tmp_path))
    for name in ("memory", "temperature", "throttling", "load"):
        assert checks[name] == Check(name, "skipped", "this system does not tell")


def test_a_full_disk_and_a_clock_that_runs_free(tmp_path: Path, monkeypatch) -> None:
    usage = type("Usage", (), {"free": 100 << 20})
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(machine, "clock_synchronised", lambda: False)
    checks = by_name(machine_checks(tmp_path, root=tmp_path))
    assert (checks["disk"].state, checks["clock"].state) == ("warning", "warning")
    assert f"0.1 GB free in {tmp_path}" in checks["disk"].detail
    monkeypatch.setattr(machine.os, "access", lambda *_: False)
    assert "is not writable" in by_name(machine_checks(tmp_path, root=tmp_path))["disk"].detail


def test_the_kernel_is_asked_for_its_clock() -> None:
    assert machine.clock_synchronised() in (True, False, None)


def test_the_cameras_are_named_without_the_codecs(pi) -> None:
    [check] = camera_checks(None, root=pi())
    assert (check.state, check.detail) == ("ok", "video0 (HD Webcam C270)")


def test_no_camera_fails_only_where_one_is_asked_for(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(camera, "first_frame", lambda *_, **__: (None, "no answer"))
    assert by_name(camera_checks(None, root=tmp_path))["cameras"].state == "skipped"
    assert by_name(camera_checks("rtsp://x/y", root=tmp_path))["cameras"].state == "skipped"
    checks = by_name(camera_checks("0", root=tmp_path))
    assert (checks["cameras"].state, checks["camera"].state) == ("failed", "failed")


def test_a_camera_of_the_group_video(pi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera.os, "access", lambda path, _: path.name != "video0")
    monkeypatch.setattr(camera, "first_frame", lambda *_, **__: ((480, 640), ""))
    checks = by_name(camera_checks("0", root=pi()))
    assert checks["cameras"].state == "failed"
    assert "not allowed to open video0" in checks["cameras"].detail
    assert "usermod -aG video" in checks["cameras"].mend
    assert checks["camera"].detail == "/dev/video0 gives pictures of 640×480"
    assert by_name(camera_checks(None, root=pi()))["cameras"].state == "warning"


def test_a_frame_comes_from_a_clip(tmp_path: Path) -> None:
    clip = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    checks = by_name(camera_checks(str(clip), root=tmp_path))
    assert checks["camera"].detail == f"{clip} gives pictures of 64×48"
    absent = by_name(camera_checks(str(tmp_path / "no.avi"), root=tmp_path))["camera"]
    assert (absent.state, absent.detail) == ("failed", f"{tmp_path / 'no.avi'}: no such file")


def test_a_camera_that_does_not_answer_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "_DEADLINE_SECONDS", 5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    check = by_name(camera_checks(f"http://127.0.0.1:{port}/live"))["camera"]
    assert check.state == "failed"
    assert f"http://127.0.0.1:{port}/live gives no picture within 5 s: " in check.detail
    assert "refused" in check.detail


def test_a_password_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "first_frame", lambda *_, **__: (None, ""))
    detail = by_name(camera_checks("rtsp://me:sec@ret@cam/live?token=1", root=tmp_path))[
        "camera"
    ].detail
    assert detail.startswith("rtsp://cam/live gives no picture")


def test_a_model_is_tested_and_timed(tiny_models: Path) -> None:
    checks = by_name(model_checks(tiny_models / "int8.tflite"))
    assert list(checks) == ["model", "delegate", "self-test", "inference"]
    assert {check.state for check in checks.values()} == {"ok"}
    assert "int8.tflite: densenet-tiny, int8, 32×32" in checks["model"].detail
    assert "runs 1 part of the graph" in checks["delegate"].detail
    assert "60 values of 3 inputs: the same bit for bit" in checks["self-test"].detail
    assert " ms, the median of 10, on " in checks["inference"].detail


def test_a_32_bit_system_has_no_xnnpack(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "delegated_parts", lambda _: 0)
    file = tiny_models / "int8.tflite"
    assert "ai-edge-litert" in by_name(model_checks(file))["delegate"].mend
    monkeypatch.setattr(model, "on_32_bits", lambda: True)
    assert by_name(model_checks(file))["delegate"].mend.startswith("a 64-bit system")


def test_a_model_that_computes_otherwise_fails(tiny_models: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    data, spec = read_model(tiny_models / "int8.tflite")
    others = read_model(tiny_models / "dynamic.tflite")[1].self_test
    [first, *rest] = spec.self_test.inputs
    swapped = replace(spec.self_test, inputs=(*rest, first))
    for name, test, state in (
        ("swapped", swapped, "failed"), ("other", others, "failed"), ("none", None, "warning"),
    ):  # fmt: skip
        path = tmp_path / f"{name}.tflite"
        write_model(path, data[: flatbuffer_size(data)], replace(spec, self_test=test))
        assert by_name(model_checks(path))["self-test"].state == state
    assert [check.state for check in model_checks(tmp_path / "missing.tflite")] == ["failed"]


def test_a_runtime_that_is_missing_or_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    assert by_name(software_checks())["runtime"].state == "ok"
    monkeypatch.setattr(software, "runtime_name", lambda: "tflite-runtime 2.14.0")
    assert by_name(software_checks())["runtime"].mend == "pip install ai-edge-litert"
    monkeypatch.setattr(software, "on_32_bits", lambda: True)
    assert by_name(software_checks())["runtime"].state == "ok"

    for module in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    assert "cannot be imported" in by_name(software_checks())["runtime"].detail
    monkeypatch.setattr(software, "runtime_name", lambda: "none")
    missing = by_name(software_checks())["runtime"]
    assert (missing.state, missing.detail) == ("failed", "no TFLite runtime is installed")
    assert missing.mend.startswith("pip install ai-edge-litert")


def test_the_command_says_it_all(cli, tiny_models: Path, tmp_path: Path) -> None:
    lines = cli("doctor", tiny_models / "int8.tflite").output.splitlines()
    assert lines[0].startswith("ok       edgeclf")
    assert any(line.startswith("ok       self-test") for line in lines)
    assert " checks: 0 failed, " in lines[-1]

    result = cli("doctor", tmp_path / "no.tflite", "--json", code=1)
    report = valid("device/doctor", json.loads(result.output))
    assert report["passed"] is False
    [failed] = [check for check in report["checks"] if check["state"] == "failed"]
    assert failed["name"] == "model"
    assert failed["mend"] == "give a .tflite file of `edgeclf convert`"
