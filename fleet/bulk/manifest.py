"""The manifest of a bulk run: what was classified, written once all parts are there."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ...edge_runtime.files import json_text
from ...edge_runtime.model_file.spec import ModelSpec
from .output import MANIFEST, PLAN, OutputFolder
from .plan import Listed, Plan
from .rows import Part

SCHEMA = 1


def make_manifest(
    plan: Plan,
    parts: Sequence[Part],
    *,
    spec: ModelSpec,
    now: Listed,
    version: str,
    finished: str,
) -> dict[str, Any]:
    """Return the manifest as JSON has it.

    Args:
        plan: what was to be classified.
        parts: all of them, in order.
        spec: of the model.
        now: what the inputs hold after the run.
        version: of edgeclf.
        finished: when, ISO 8601.
    """
    settings = plan.settings
    counts = _sum(part.labels for part in parts)
    return {
        "schema": SCHEMA,
        "edgeclf": version,
        "finished": finished,
        "model": {
            "sha256": settings.model,
            "labels": list(spec.labels),
            "training": _training(spec, settings.novelty_threshold),
        },
        "inputs": {
            "names": list(settings.inputs),
            "files": plan.listed.files,
            "files_after": now.files,
            "changed": now != plan.listed,
            "skipped": plan.skipped,
        },
        "settings": {
            "top": settings.top,
            "threshold": settings.threshold,
            "novelty_threshold": settings.novelty_threshold,
            "rows_per_part": settings.rows_per_part,
            "column": settings.column,
        },
        "images": sum(part.rows for part in parts),
        "errors": sum(part.errors for part in parts),
        "labels": dict(sorted(counts.items())),
        "novelty_reasons": dict(sorted(_sum(part.unknown for part in parts).items())),
        "nodes": _nodes(parts),
        "plan": {"path": PLAN, "sha256": plan.sha256},
        "parts": [{"path": part.name, "rows": part.rows, "sha256": part.sha256} for part in parts],
    }


def write_manifest(out: OutputFolder, manifest: dict[str, Any]) -> None:
    """Write the manifest, whole."""
    out.write(MANIFEST, json_text(manifest).encode(errors="backslashreplace"))


def _training(spec: ModelSpec, threshold: float | None) -> dict[str, float | None]:
    """Return what images like the training's would give: the manifest's `model.training`."""
    test = (spec.provenance or {}).get("test")
    accuracy = test.get("accuracy") if isinstance(test, dict) else None
    if spec.novelty is None:
        return {"accuracy": accuracy, "false_unknown": None}
    least = spec.novelty.threshold if threshold is None else threshold
    return {"accuracy": accuracy, "false_unknown": round(1 - least, 6)}


def _sum(counts: Any) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return total


def _nodes(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Return for each machine its images and the seconds that its processes took for them."""
    nodes = []
    for name in sorted({part.node for part in parts}):
        own = [part for part in parts if part.node == name]
        images, seconds = sum(part.rows for part in own), sum(part.seconds for part in own)
        rate = round(images / seconds, 3) if seconds else None
        nodes.append(
            {
                "name": name,
                "images": images,
                "process_seconds": round(seconds, 3),
                "images_per_process_second": rate,
            }
        )
    return nodes
