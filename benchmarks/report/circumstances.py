"""What was measured, where and how, in tables."""

from collections.abc import Iterator

from ...edge_runtime.machine import MachineState
from ...models.report.table import Table
from ..results.schema import Benchmark, Model
from . import words


def warnings(benchmark: Benchmark) -> list[str]:
    """Return what is to be known before the figures are believed."""
    found = [
        f"{model.name} has no figures: {model.error}" for model in benchmark.models if model.error
    ]
    machine = benchmark.machine
    if machine.busy:
        load = words.number(machine.background_load, ".1f")
        found.append(
            f"Other processes kept {load} of {machine.cores} cores busy; latencies and their "
            "ratios hold for that load alone."
        )
    return found


def files_table(benchmark: Benchmark) -> Table:
    """Return what the models are, and what went wrong with those that have no figures."""
    rows = [
        [
            model.name,
            _recipe(model),
            words.megabytes(model.bytes),
            _computed_by(model),
            model.error or "measured",
            model.path,
            (model.sha256 or words.NONE)[:16],
        ]
        for model in benchmark.models
    ]
    header = ["model", "recipe", "file, MB", "computed by", "state", "path", "SHA-256 begins"]
    return Table("Models", header, rows)


def machine_table(benchmark: Benchmark) -> Table:
    """Return where it was measured."""
    machine = benchmark.machine
    memory = None if machine.memory_bytes is None else f"{machine.memory_bytes / 1e9:.2f} GB"
    rows = [
        ["board", machine.board or words.NONE],
        ["processor", machine.cpu or words.NONE],
        ["architecture", machine.architecture],
        ["cores used", str(machine.cores)],
        ["memory", memory or words.NONE],
        ["system", machine.system],
        ["cores that others kept busy", words.number(machine.background_load)],
        *([name, version] for name, version in machine.versions.items()),
    ]
    return Table("Machine", ["", ""], rows)


def states_table(benchmark: Benchmark) -> Table:
    """Return the machine before and after."""
    before, after = (list(_state(s)) for s in (benchmark.machine.before, benchmark.machine.after))
    rows = [[name, one, other] for (name, one), (_, other) in zip(before, after, strict=True)]
    return Table("Its state", ["", "before", "after"], rows)


def method_table(benchmark: Benchmark) -> Table:
    """Return how and on what it was measured."""
    settings, data = benchmark.settings, benchmark.data
    rows = [
        ["measured", benchmark.created],
        ["images", f"{data.images} of {words.count(len(set(data.truth)), 'class', 'classes')}"],
        ["folder", data.folder],
        ["digest of images and classes", data.digest],
        ["classes of the models", str(len(data.labels))],
        ["threads", ", ".join(map(str, settings.threads))],
        ["queries per model, at least", str(settings.queries)],
        ["seconds per model, at least", f"{settings.min_seconds:g}"],
        ["rounds, a fresh process each", str(settings.rounds)],
        ["continuous work, minutes", f"{settings.sustained_minutes:g}"],
        ["seed", str(settings.seed)],
        ["schema", str(benchmark.schema)],
    ]
    return Table("Method", ["", ""], rows)


def _recipe(model: Model) -> str:
    return f"{model.recipe or words.NONE}{', the reference' if model.reference else ''}"


def _computed_by(model: Model) -> str:
    if model.delegate is None:
        return words.NONE if model.error else "Keras"
    if model.delegate.parts is None:
        return "CompiledModel"
    if not model.delegate.parts:
        return "plain kernels"
    kind = "XNNPACK" if model.delegate.xnnpack else "a delegate"
    return f"{kind}, {words.count(model.delegate.parts, 'part')}"


def _state(state: MachineState) -> Iterator[tuple[str, str]]:
    available = state.available_memory_bytes
    yield "temperature, °C", words.number(state.temperature_c, ".1f")
    yield "frequency, MHz", words.number(state.frequency_mhz, ".0f")
    yield "governor", state.governor or words.NONE
    yield "load", words.number(state.load)
    yield "available memory, GB", words.number(None if available is None else available / 1e9)
    throttled = state.throttled
    yield "throttled", words.NONE if throttled is None else ", ".join(throttled) or "no"
