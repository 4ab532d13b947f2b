"""A whole benchmark: from the models and the photographs to the result."""

from dataclasses import replace
from datetime import datetime, timezone
from importlib.util import find_spec
from itertools import product
from pathlib import Path

from ...edge_runtime.accelerator.selection import choose
from ...edge_runtime.command_line.accelerator import say_acceleration
from ...edge_runtime.command_line.warning import echo_warning
from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.machine import machine_state
from ...edge_runtime.tflite.interpreter import Runtime
from ...models.photographs import (
    Photographs,
    labelled_photographs,
    readable_photographs,
    run_groups,
    run_photographs,
)
from ...models.run import Run
from ..results.conditions import Settings
from ..results.schema import SCHEMA, Benchmark, Sustained
from ..results.verdict import decide
from .assembly import assemble_models, describe_data, failed_model
from .machine import BackgroundLoad, describe_machine, void_reason
from .model_files import ModelFile, check_alike, good_class, names_of, read_model_file
from .processes import WorkerError
from .rounds import Measured, measure_models
from .sustained import measure_sustained


def measure_benchmark(
    paths: tuple[Path, ...],
    *,
    data: Path | None,
    settings: Settings,
    runtimes: tuple[Runtime, ...] = ("interpreter",),
    accelerator: str = "cpu",
) -> Benchmark:
    """Measure the models at `paths` on the same photographs.

    A model that fails is an entry with an error; the others are measured.

    Args:
        paths: .tflite files, and the folders of runs for their float Keras models.
        data: a folder per class; None for the test images of the first run.
        settings: how.
        runtimes: what computes each .tflite file; each is measured in all of them.
        accelerator: where it passes its trial, each file is measured on it, too; its value is that
            of `Classifier`.

    Raises:
        EdgeclfError: no model can be read, they differ in classes or input, or no image can be
            read.
    """
    paths = tuple(dict.fromkeys(paths))
    found, errors = _read(paths, runtimes)
    if accelerator != "cpu":
        found = [each for one in found for each in _with_accelerated(one, accelerator, settings)]
    model_files = [one for one in found if one.run is None or find_spec("tensorflow") is not None]
    if len(model_files) < len(found):
        echo_warning("TensorFlow is not installed, so no float Keras model")
    if not model_files:
        raise EdgeclfError("no model is left to compare; give .tflite files")
    check_alike(model_files)
    first = model_files[0]
    run = next((one.run for one in found if one.run), None)
    folder, photographs, groups = _photographs(run, data, first.labels)
    inputs, readable = readable_photographs(photographs, size_hw=first.input_hw, rule=first.resize)
    described = describe_data(
        readable, folder=folder, labels=first.labels, good=good_class(model_files)
    )
    states, background = [machine_state()], BackgroundLoad()
    measured = measure_models(
        model_files,
        readable,
        inputs,
        settings=settings,
        watch=lambda: states.append(machine_state()),
    )
    machine = describe_machine(states[0], states[-1], background_load=background.cores())
    short = dict(zip(paths, names_of(paths), strict=True))
    names = {id(one): _name(one, short[one.path], runtimes) for one in model_files}
    figures = assemble_models(
        measured,
        readable,
        names=list(names.values()),
        data=described,
        groups=[groups.get(path, "") for path in readable.paths],
    )
    failed = [failed_model(path, name=short[path], error=why) for path, why in errors.items()]
    models = tuple(
        sorted(
            [*figures, *failed], key=lambda model: [str(path) for path in paths].index(model.path)
        )
    )
    return Benchmark(
        schema=SCHEMA,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        void=void_reason(states),
        verdict=decide(models),
        settings=settings,
        data=described,
        machine=machine,
        models=models,
        sustained=_sustained(measured, readable, names=names, settings=settings),
    )


def _name(model_file: ModelFile, short: str, runtimes: tuple[Runtime, ...]) -> str:
    if model_file.accelerator is not None:
        return f"{short} ({model_file.accelerator.name})"
    several = len(runtimes) > 1 and model_file.runtime is not None
    return f"{short} ({model_file.runtime})" if several else short


def _read(
    paths: tuple[Path, ...], runtimes: tuple[Runtime, ...]
) -> tuple[list[ModelFile], dict[Path, str]]:
    """Read what the files say; warn of those that cannot be read."""
    model_files: list[ModelFile] = []
    errors: dict[Path, str] = {}
    for path, runtime in product(paths, runtimes):
        if path.is_dir() and runtime != runtimes[0]:
            continue  # Keras is measured once
        try:
            model_files.append(read_model_file(path, runtime=runtime))
        except EdgeclfError as error:
            errors[path] = str(error)
    if not model_files:
        raise EdgeclfError("\n".join(errors.values()))
    for line in errors.values():
        echo_warning(f"given up: {line}")
    return model_files, errors


def _with_accelerated(one: ModelFile, accelerator: str, settings: Settings) -> list[ModelFile]:
    """Return the file, and again for the accelerator if that passes its trial."""
    if one.runtime != "interpreter":
        return [one]
    choice = choose(accelerator, one.path, threads=settings.threads[0], runtime=one.runtime)
    say_acceleration(choice)
    return [one] if choice.used is None else [one, replace(one, accelerator=choice.used)]


def _photographs(
    run: Run | None, data: Path | None, labels: tuple[str, ...]
) -> tuple[Path, Photographs, dict[Path, str]]:
    """Return the folder, what in it is to be measured on, and the groups that are known."""
    if run is not None:
        folder = data or run.data
        test = run.split("test")
        # The run's own data folder, moved or not: what it was trained on would flatter it.
        if data is None or all((data / image.path).exists() for image in test):
            photographs = run_photographs(run, "test", data=data)
            return folder, photographs, run_groups(run, "test", data=data)
    if data is None:
        raise EdgeclfError("no images to compare on; add --data FOLDER, or a RUN to the models")
    return data, labelled_photographs(data, labels), {}


def _sustained(
    measured: list[Measured],
    photographs: Photographs,
    *,
    names: dict[int, str],
    settings: Settings,
) -> tuple[Sustained, ...]:
    """Let the last .tflite that is alive work on; a failure costs only this."""
    files = [one for one in measured if one.error is None and one.model_file.run is None]
    if not settings.sustained_minutes or not files:
        return ()
    model_file = files[-1].model_file
    try:
        return (
            measure_sustained(
                model_file,
                photographs.paths,
                name=names[id(model_file)],
                threads=settings.threads[0],
                minutes=settings.sustained_minutes,
            ),
        )
    except WorkerError as error:
        echo_warning(f"no sustained work: {error}")
        return ()
