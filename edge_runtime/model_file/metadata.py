"""TFLite metadata: what phones and other readers know of a model, inside its FlatBuffer.

The tables are those of the published schema, as far as they are used:
https://github.com/google-ai-edge/mediapipe/blob/master/mediapipe/tasks/metadata/metadata_schema.fbs
"""

import math
from typing import Any

import numpy as np

from ..tflite.flatbuffer import FlatbufferError, Table, root_table
from ..tflite.runtime_versions import RUNTIME_VERSION_NAME, runtime_requirement
from ..tflite.tflite_file import IDENTIFIER, parse_tflite
from .spec import LABELS_NAME, SPEC_NAME, ModelSpec

METADATA_NAME = "TFLITE_METADATA"
METADATA_IDENTIFIER = b"M001"

# The fields of each table, in the schema's order: a field's place is its slot.
_MODEL = (
    *("name", "description", "version", "subgraph_metadata", "author", "license"),
    *("associated_files", "min_parser_version"),
)
_GRAPH = ("name", "description", "input_tensor_metadata", "output_tensor_metadata")
_TENSOR = (
    *("name", "description", "dimension_names", "content", "process_units", "stats"),
    "associated_files",
)
_CONTENT = ("content_properties_type", "content_properties")
_IMAGE = ("color_space", "default_size")
_SIZE = ("width", "height")
_UNIT = ("options_type", "options")
_NORMALIZATION = ("mean", "std")
_STATS = ("max", "min")
_FILE = ("name", "description", "type")

_FILE_TYPES = (
    *("UNKNOWN", "DESCRIPTIONS", "TENSOR_AXIS_LABELS", "TENSOR_VALUE_LABELS"),
    *("TENSOR_AXIS_SCORE_CALIBRATION", "VOCABULARY", "SCANN_INDEX_FILE"),
)
_COLOUR_SPACES = ("UNKNOWN", "RGB", "GRAYSCALE")
_FEATURE_PROPERTIES, _IMAGE_PROPERTIES = 1, 2
_NORMALIZATION_OPTIONS = 1

# Slots of a model in the schema of .tflite files.
_GRAPHS, _BUFFERS, _METADATA = 2, 4, 6
_RUNTIME_VERSION_BYTES = 16
_ALIGNMENT = 16  # of a buffer's bytes: XNNPACK reads them in place


def embed_metadata(flatbuffer: bytes, spec: ModelSpec) -> bytes:
    """Return the .tflite model `flatbuffer` with metadata that say what `spec` says.

    They also name the oldest runtime, which the converter does not know: it reckons before the
    network is quantized. Where it is not known, they name none.

    The offsets in a FlatBuffer are relative and point forward. So the metadata go in front, with a
    new root that refers to the parts of the old one; the old bytes stay as they are, and aligned.

    Args:
        flatbuffer: the model, without files behind it.
        spec: what the runtime must know of it.

    Raises:
        FlatbufferError: it is no .tflite model.
    """
    from flatbuffers import Builder  # type: ignore[import-untyped]  # a device need not have it

    model = root_table(flatbuffer, IDENTIFIER)
    buffers = model.tables(_BUFFERS)
    if any(table.integer(1, "Q") > 1 for table in buffers):
        raise FlatbufferError("its weights lie outside of the FlatBuffer")
    replaced = (METADATA_NAME, RUNTIME_VERSION_NAME)
    others = [entry for entry in model.tables(_METADATA) if entry.text(0) not in replaced]
    outputs = model.tables(_GRAPHS)[0].array(2, "i4").size

    builder = Builder(len(flatbuffer) + 4096)
    start = _write(builder, flatbuffer) - 4  # a vector of bytes begins with their number

    def old(at: int) -> int:  # the builder counts from the end
        return start - at

    fields: dict[int, Any] = {0: np.uint32(model.integer(0, "I"))}
    for slot in range(1, model.slots):  # every field of a model but the first is an offset
        target = model.target(slot)
        if target:
            fields[slot] = old(target)
    added = {METADATA_NAME: _build_metadata(spec, outputs)}
    oldest = runtime_requirement(parse_tflite(flatbuffer)).tensorflow
    if oldest is not None:
        added[RUNTIME_VERSION_NAME] = oldest.encode().ljust(_RUNTIME_VERSION_BYTES, b"\0")
    fields[_BUFFERS] = [
        *(old(table.at) for table in buffers),
        *({0: new} for new in added.values()),
    ]
    fields[_METADATA] = [
        *(old(table.at) for table in others),
        *({0: name, 1: np.uint32(len(buffers) + place)} for place, name in enumerate(added)),
    ]
    builder.Finish(_write(builder, fields), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def read_metadata(data: bytes) -> dict[str, Any]:
    """Return as a JSON object what the metadata `data` say that this module could write.

    Raises:
        FlatbufferError: they are none, or damaged.
    """
    model = root_table(data, METADATA_IDENTIFIER)
    graphs = model.tables(_MODEL.index("subgraph_metadata"))
    inputs = graphs[0].tables(_GRAPH.index("input_tensor_metadata")) if graphs else []
    outputs = graphs[0].tables(_GRAPH.index("output_tensor_metadata")) if graphs else []
    return {
        "name": model.text(_MODEL.index("name")),
        "description": model.text(_MODEL.index("description")),
        "min_parser_version": model.text(_MODEL.index("min_parser_version")),
        "files": _files(model, _MODEL),
        "inputs": [_read_tensor(table) for table in inputs],
        "outputs": [_read_tensor(table) for table in outputs],
    }


def _build_metadata(spec: ModelSpec, outputs: int) -> bytes:
    from flatbuffers import Builder

    height, width = spec.input_hw
    size = _fields(_SIZE, width=np.uint32(width), height=np.uint32(height))
    image = _fields(
        _TENSOR,
        name="image",
        description="The image: RGB, 0 to 255.",
        content=_fields(
            _CONTENT,
            content_properties_type=np.uint8(_IMAGE_PROPERTIES),
            content_properties=_fields(
                _IMAGE, color_space=np.uint8(_COLOUR_SPACES.index("RGB")), default_size=size
            ),
        ),
        # The identity: the model normalises by itself.
        process_units=[
            _fields(
                _UNIT,
                options_type=np.uint8(_NORMALIZATION_OPTIONS),
                options=_fields(_NORMALIZATION, mean=[0.0], std=[1.0]),
            )
        ],
        stats=_fields(_STATS, max=[255.0], min=[0.0]),
    )
    scores = _fields(
        _TENSOR,
        name="scores",
        description="The score of each class, 0 to 1.",
        content=_features(),
        stats=_fields(_STATS, max=[1.0], min=[0.0]),
        associated_files=[_file(LABELS_NAME, "The classes, one a line.", "TENSOR_AXIS_LABELS")],
    )
    what = "The mean of the last feature map, by which an image is compared with the training's."
    if spec.heatmap is not None:
        what = (
            "The last feature map. Its channels, weighed as a class weighs them, show where in the "
            f"image the class is; the weights stand in {SPEC_NAME}."
        )
    features = _fields(_TENSOR, name="features", description=what, content=_features())
    further = [
        features if place == 1 else _fields(_TENSOR, name=f"output {place}", content=_features())
        for place in range(1, outputs)
    ]
    model = _fields(
        _MODEL,
        name=f"{spec.architecture} {spec.recipe}",
        description=f"Classifies RGB images. Made by edgeclf {spec.edgeclf_version}.",
        subgraph_metadata=[
            _fields(
                _GRAPH, input_tensor_metadata=[image], output_tensor_metadata=[scores, *further]
            )
        ],
        associated_files=[_file(SPEC_NAME, "What edgeclf knows of the model.", "DESCRIPTIONS")],
        min_parser_version="1.0.0",  # the newest that any of these fields asks for
    )
    builder = Builder()
    builder.Finish(_write(builder, model), file_identifier=METADATA_IDENTIFIER)
    return bytes(builder.Output())


def _features() -> dict[int, Any]:
    kind = np.uint8(_FEATURE_PROPERTIES)
    return _fields(_CONTENT, content_properties_type=kind, content_properties={})


def _file(name: str, description: str, kind: str) -> dict[int, Any]:
    place = np.uint8(_FILE_TYPES.index(kind))
    return _fields(_FILE, name=name, description=description, type=place)


def _fields(schema: tuple[str, ...], **values: Any) -> dict[int, Any]:
    return {schema.index(name): value for name, value in values.items()}


def _write(builder: Any, value: Any) -> int:
    """Write `value` and return its offset, as the builder counts.

    A dict is a table by slots, a list a vector of numbers or of what it holds; an int is the offset
    of something written before.
    """
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, bytes):
        builder.Prep(_ALIGNMENT, len(value))
        return int(builder.CreateByteVector(value))
    if isinstance(value, list):
        if isinstance(value[0], float):
            return int(builder.CreateNumpyVector(np.asarray(value, np.float32)))
        offsets = [_write(builder, item) for item in value]
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())
    return _write_table(builder, value)


def _write_table(builder: Any, fields: dict[int, Any]) -> int:
    numbers = {
        slot: value for slot, value in fields.items() if isinstance(value, np.unsignedinteger)
    }
    offsets = {
        slot: _write(builder, value) for slot, value in fields.items() if slot not in numbers
    }
    builder.StartObject(max(fields, default=-1) + 1)
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, number in numbers.items():
        prepend = builder.PrependUint8Slot if number.itemsize == 1 else builder.PrependUint32Slot
        prepend(slot, int(number), 0)
    return int(builder.EndObject())


def _read_tensor(table: Table) -> dict[str, Any]:
    content = table.table(_TENSOR.index("content"))
    image = normalization = None
    if content and content.integer(_CONTENT.index("content_properties_type"), "B") == 2:
        image = content.table(_CONTENT.index("content_properties"))
    for unit in table.tables(_TENSOR.index("process_units")):
        if unit.integer(_UNIT.index("options_type"), "B") == _NORMALIZATION_OPTIONS:
            normalization = unit.table(_UNIT.index("options"))
    values: dict[str, Any] = {
        "name": table.text(_TENSOR.index("name")),
        "description": table.text(_TENSOR.index("description")),
        "files": _files(table, _TENSOR),
    }
    if image:
        values["colour_space"] = _named(_COLOUR_SPACES, image, _IMAGE.index("color_space"))
    if normalization:
        values["normalization"] = {
            name: [
                x if math.isfinite(x) else None for x in normalization.array(slot, "f4").tolist()
            ]
            for slot, name in enumerate(_NORMALIZATION)
        }
    return values


def _numbers(table: Table, slot: int) -> list[float | None]:
    # JSON has no NaN.
    return [value if math.isfinite(value) else None for value in table.array(slot, "f4").tolist()]


def _files(table: Table, schema: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": file.text(_FILE.index("name")),
            "type": _named(_FILE_TYPES, file, _FILE.index("type")),
        }
        for file in table.tables(schema.index("associated_files"))
    ]


def _named(names: tuple[str, ...], table: Table, slot: int) -> str:
    number = table.integer(slot, "B")
    return names[number] if number < len(names) else str(number)
