"""From a Keras functional model to our graph, layer by layer."""

from dataclasses import replace
from typing import Any

import keras

from ...edge_runtime.errors import EdgeclfError
from .calls import Call, UnreadableError, array
from .nodes import Array, Graph, Input, Node
from .readers import find_reader
from .unknown_layers import read_unknown_layer


def read_keras(model: Any) -> Graph:
    """Return the inference graph of a functional or Sequential Keras model.

    Models within the model are laid open, and a layer that is used at several places becomes a
    node at each. Layers that we do not know are left as they are: `Graph.unknown_layers` are their
    names.

    Raises:
        EdgeclfError: the model is not one graph from an image of known size to an output, or has
            layers that cannot be converted; each is named.
    """
    graph = _functional(model)
    if graph is None or len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise EdgeclfError(
            f"{model.name} ({type(model).__name__}) is not a built functional or Sequential model "
            f"with one input and one output; make it one with keras.Model(image, scores)"
        )
    image = graph.inputs[0]
    shape = tuple(image.shape[1:])
    if len(shape) != 3 or None in shape:
        raise EdgeclfError(
            f"{model.name}: expected an input of known (height, width, channels), got {shape}; "
            "build it with keras.Input((height, width, channels))"
        )
    reading = _Reading()
    name = reading.add([Input(image._keras_history.operation.name, (), shape)])
    reading.read(graph, name)
    if reading.unreadable:
        raise EdgeclfError(
            f"{model.name}: cannot convert the layers {', '.join(reading.unreadable)}; "
            "replace them by layers of keras.layers that TFLite knows"
        )
    return Graph(reading.nodes)


class _Reading:
    """The nodes read so far, and the layers that could not be."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.unreadable: list[str] = []
        self._names: set[str] = set()

    def read(self, model: Any, image: str) -> str:
        """Add the nodes of a functional model whose input is the node `image`; return the last."""
        made_by = {id(model.inputs[0]): image}
        calls = model._nodes_by_depth
        for call in (call for depth in sorted(calls, reverse=True) for call in calls[depth]):
            if id(call.outputs[0]) not in made_by:
                name = self._read_call(call, made_by)
                made_by.update((id(tensor), name) for tensor in call.outputs)
        return made_by[id(model.outputs[0])]

    def _read_call(self, node: Any, made_by: dict[int, str]) -> str:
        layer = node.operation
        inputs = tuple(made_by[id(tensor)] for tensor in node.input_tensors)
        try:
            inner = _functional(layer)
            if inner is not None and len(inner.inputs) == len(inner.outputs) == 1:
                return self.read(inner, inputs[0])
            read = _read_layer(node, made_by)
        except UnreadableError as why:
            self.unreadable.append(f"{layer.name} ({type(layer).__name__}: {why})")
            read = [Node(layer.name, inputs)]
        return self.add(read) if read else inputs[0]

    def add(self, nodes: list[Node]) -> str:
        """Add `nodes`, under other names where theirs are taken; return the last one's name."""
        renamed: dict[str, str] = {}
        for node in nodes:
            plain = node.name.lstrip("_") or "layer"  # TensorFlow wants it to begin otherwise
            name, count = plain, 0
            while name in self._names:
                count += 1
                name = f"{plain}_{count}"
            self._names.add(name)
            inputs = tuple(renamed.get(other, other) for other in node.inputs)
            self.nodes.append(replace(node, name=name, inputs=inputs))
            renamed[node.name] = name
        return self.nodes[-1].name


def _functional(model: Any) -> Any:
    """Return the graph that Keras keeps of `model`, or None if it is none, or unbuilt."""
    if isinstance(model, keras.Sequential):
        model = model._functional
    is_graph = hasattr(model, "_nodes_by_depth") and _is_keras(type(model).call)
    return model if is_graph else None


def _read_layer(node: Any, made_by: dict[int, str]) -> list[Node]:
    layer = node.operation
    is_layer = isinstance(layer, keras.layers.Layer)
    if len(node.outputs) != 1:
        raise UnreadableError("several outputs")
    if getattr(layer, "data_format", None) == "channels_first":
        raise UnreadableError("channels first; expected channels last")
    if getattr(layer, "quantization_mode", None):
        raise UnreadableError("quantized already")
    for key, value in node.arguments.kwargs.items():
        # Keras overrides `training` where a model predicts.
        if key != "training" and value is not None:
            raise UnreadableError(f"called with {key}={value}")
    shapes = tuple(tuple(tensor.shape[1:]) for tensor in node.input_tensors)
    shape = tuple(node.outputs[0].shape[1:])
    if None in (*shape, *(size for read in shapes for size in read)):
        raise UnreadableError("the size of a tensor is not known")
    operands = [
        made_by[id(value)] if isinstance(value, keras.KerasTensor) else _constant(value)
        for value in keras.tree.flatten(node.arguments.args)
        if not is_layer or (value is not None and value is not False)
    ]
    call = Call(layer, tuple(operands), shapes, shape)
    if is_layer and len(call.inputs) < len(operands):
        raise UnreadableError("called with more than tensors")
    reader = find_reader(call, is_layer=is_layer) if _is_keras(type(layer)) else None
    read = reader(call) if reader else None
    if read is not None:
        return read
    if len(shapes) > 1 and len(node.arguments.args) > 1:
        raise UnreadableError("called with several tensors, not with a list of them")
    return [read_unknown_layer(call)]


def _constant(value: Any) -> Array:
    try:
        return array(value)
    except (TypeError, ValueError):
        raise UnreadableError(f"called with a {type(value).__name__}") from None


def _is_keras(thing: Any) -> bool:
    return str(thing.__module__).startswith("keras.")
