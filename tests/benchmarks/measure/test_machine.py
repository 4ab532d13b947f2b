"""What a benchmark says of the machine, under the files of other machines."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from edgeclf.benchmarks.measure.machine import BackgroundLoad, describe_machine, void_reason
from edgeclf.edge_runtime.machine import MachineState, machine_state

PI = {
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/cpuinfo": "".join(
        f"processor\t: {core}\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\n" for core in range(4)
    )
    + "Revision\t: d04170\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n",
    "proc/meminfo": "MemTotal:        8256044 kB\nMemFree: 1 kB\nMemAvailable:    7000000 kB\n",
    "proc/loadavg": "0.52 0.40 0.31 1/180 1234\n",
    "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "61150\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2400000\n",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "1500000\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "0\n",
}
LAPTOP = {
    "proc/cpuinfo": "model name\t: Intel(R) Core(TM) i7-8550U\ncpu MHz\t\t: 1800.5\n",
    "sys/class/thermal/thermal_zone0/type": "acpitz\n",
    "sys/class/thermal/thermal_zone0/temp": "27800\n",
    "sys/class/thermal/thermal_zone1/type": "x86_pkg_temp\n",
    "sys/class/thermal/thermal_zone1/temp": "74000\n",
    "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "3\n",
    "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count": "4\n",
}


def files(root: Path, content: dict[str, str]) -> Path:
    for name, text in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_raspberry_pi(tmp_path: Path) -> None:
    root = files(tmp_path, PI)
    state = machine_state(root=root)
    assert state == MachineState(
        temperature_c=61.15,
        frequency_mhz=1950.0,
        governor="ondemand",
        load=0.52,
        available_memory_bytes=7000000 * 1024,
        throttled=(),
    )
    machine = describe_machine(state, state, background_load=None, root=root)
    assert (machine.board, machine.cpu) == ("Raspberry Pi 5 Model B Rev 1.0", "Cortex-A76")
    assert machine.memory_bytes == 8256044 * 1024
    assert machine.system.startswith("Debian GNU/Linux 12 (bookworm), ")
    assert machine.cores >= 1


def test_a_laptop_and_a_machine_that_says_nothing(tmp_path: Path) -> None:
    root = files(tmp_path / "laptop", LAPTOP)
    state = machine_state(root=root)
    assert (state.temperature_c, state.frequency_mhz, state.governor) == (74.0, 1800.5, None)
    assert state.throttled == ("7 thermal events since the start",)
    assert (
        describe_machine(state, state, background_load=None, root=root).cpu
        == "Intel(R) Core(TM) i7-8550U"
    )

    nothing = machine_state(root=tmp_path / "nothing")
    assert nothing == MachineState(None, None, None, None, None, None)
    machine = describe_machine(nothing, nothing, background_load=None, root=tmp_path / "nothing")
    assert (machine.board, machine.cpu, machine.memory_bytes) == (None, None, None)
    assert machine.versions["numpy"]
    assert void_reason([nothing, nothing]) is None


def test_the_tool_of_the_pi_is_asked_where_sysfs_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "bin/vcgencmd"
    files(tmp_path, {"bin/vcgencmd": '#!/bin/sh\n[ "$1" = get_throttled ] && echo throttled=0x4\n'})
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    assert machine_state().throttled == ("throttled now",)
    tool.write_text("#!/bin/sh\nexit 255\n")
    machine_state()  # no complaint


@pytest.mark.parametrize(
    ("before", "between", "after", "reason"),
    [
        ("0", "0", "0", None),
        ("0", "0x50005", "0x50000", "under-voltage now, throttled now, under-voltage since"),
        ("0x50000", "0x50000", "0x50000", None),  # of earlier
        ("0x50000", "0x50000", "0x70000", "frequency capped since the start"),
        ("0x50005", "0x50000", "0x50000", "throttled now"),
    ],
)
def test_a_run_that_throttled_is_void(
    tmp_path: Path, before: str, between: str, after: str, reason: str | None
) -> None:
    states = []
    for flags in (before, between, after):
        files(tmp_path, {"sys/devices/platform/soc/soc:firmware/get_throttled": flags})
        states.append(machine_state(root=tmp_path))
    shown = void_reason(states)
    assert shown is None if reason is None else shown is not None and reason in shown


def test_more_thermal_events_void_it_too(tmp_path: Path) -> None:
    before = machine_state(root=files(tmp_path, LAPTOP))
    assert void_reason([before, before]) is None
    after = replace(before, throttled=("9 thermal events since the start",))
    assert void_reason([before, after]) == (
        "the machine throttled: 9 thermal events since the start"
    )


def test_the_work_of_others_is_distinct_from_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick = os.sysconf("SC_CLK_TCK")
    clock = iter([100.0, 110.0])
    ours = iter([(1.0, 1.0, 0.0, 0.0, 0.0), (3.0, 2.0, 4.0, 1.0, 0.0)])
    monkeypatch.setattr("edgeclf.benchmarks.measure.machine.monotonic", clock.__next__)
    monkeypatch.setattr("edgeclf.benchmarks.measure.machine.os.times", ours.__next__)
    line = "cpu  {user} 0 {system} 9999 99 0 0 {steal} 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
    before = line.format(user=0, system=0, steal=0)
    background = BackgroundLoad(root=files(tmp_path, {"proc/stat": before}))
    after = line.format(user=15 * tick, system=3 * tick, steal=5 * tick)
    files(tmp_path, {"proc/stat": after})
    assert background.cores() == 1.5  # 23 seconds of work in 10, 8 of them ours
    assert BackgroundLoad(root=tmp_path / "nothing").cores() is None
