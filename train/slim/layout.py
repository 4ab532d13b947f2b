"""Which layer reads which channels of a network, and how many multiply-accumulates they cost."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

_CHANNEL_BY_CHANNEL = (
    keras.layers.Activation,
    keras.layers.AveragePooling2D,
    keras.layers.BatchNormalization,
    keras.layers.Dropout,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.MaxPooling2D,
    keras.layers.Normalization,
    keras.layers.ReLU,
    keras.layers.Rescaling,
    keras.layers.ZeroPadding2D,
)

# In int8, where such a BatchNorm is a depthwise convolution: of DenseNet121 on one thread of an
# x86-64 processor with VNNI, 9 million values of these took 15 % of the time, and 2833 million
# multiply-accumulates 66 %.
_NORM_COST = 64

# A constant that is added before is the same constant behind.
_KEEPS_CONSTANTS = (keras.layers.AveragePooling2D, keras.layers.Concatenate)


@dataclass(frozen=True)
class Layer:
    """A layer of a network.

    Attributes:
        keras: the layer itself.
        reads: names of the layers that it reads.
        sources: of the channels that it reads, in order: the layers that compute them.
        places: the height times the width of what it computes.
        norm_cost: multiply-accumulates that take as long as one of its values, if it is a BatchNorm
            that no convolution before it takes in.
    """

    keras: Any
    reads: tuple[str, ...]
    sources: tuple[str, ...]
    places: int
    norm_cost: int = 0

    @property
    def is_reader(self) -> bool:
        """Whether it computes channels of its own from all that it reads."""
        return _is_reader(self.keras)


@dataclass(frozen=True)
class Layout:
    """The layers of a network in the order in which they are computed.

    Attributes:
        layers: by name.
        widths: channels of each source.
        removable: sources of which channels may leave: they reach nothing but layers that read
            them channel by channel, and at last convolutions and dense layers.
    """

    layers: dict[str, Layer]
    widths: dict[str, int]
    removable: tuple[str, ...]
    readers: dict[str, tuple[str, ...]] = field(init=False)
    _behind: dict[str, tuple[Layer, ...]] = field(init=False)

    def __post_init__(self) -> None:
        behind: dict[str, list[Layer]] = {source: [] for source in self.widths}
        for layer in self.layers.values():
            for source in dict.fromkeys(layer.sources):
                behind[source].append(layer)
        readers = {
            source: tuple(layer.keras.name for layer in found if layer.is_reader)
            for source, found in behind.items()
        }
        object.__setattr__(self, "readers", readers)
        object.__setattr__(self, "_behind", {name: tuple(each) for name, each in behind.items()})

    def width_of(self, name: str, widths: Mapping[str, int] | None = None) -> int:
        """Return the number of channels that the layer `name` reads of sources of `widths`."""
        known = self.widths if widths is None else widths
        return sum(known[source] for source in self.layers[name].sources)

    def multiplications(self, widths: Mapping[str, int] | None = None) -> int:
        """Return the multiply-accumulates of the convolutions and dense layers for one image."""
        known = self.widths if widths is None else widths
        total = 0
        for name, layer in self.layers.items():
            read = self.width_of(name, known)
            if layer.is_reader:
                total += _taps(layer.keras) * read * known[name] * layer.places
            elif _is_depthwise(layer.keras):
                total += _taps(layer.keras) * read * layer.places
        return total

    def saving(self, source: str, widths: Mapping[str, int]) -> int:
        """Return the multiply-accumulates that leave with one channel of `source`.

        Those of `norm_cost` are among them.
        """
        maker = self.layers[source]
        total = _taps(maker.keras) * self.width_of(source, widths) * maker.places
        for layer in self._behind[source]:
            each = layer.norm_cost
            if layer.is_reader:
                each = _taps(layer.keras) * widths[layer.keras.name]
            elif _is_depthwise(layer.keras):
                each = _taps(layer.keras)
            total += layer.sources.count(source) * each * layer.places
        return total


def norms_behind(layout: Layout, name: str) -> tuple[str, ...] | None:
    """Return the BatchNorms that read what the layer `name` makes before any other layer does.

    None if something else does: what a BatchNorm subtracts cannot make up there for a constant.
    """
    norms: list[str] = []
    waiting = [name]
    while waiting:
        behind = waiting.pop()
        for reader, layer in layout.layers.items():
            if behind not in layer.reads:
                continue
            if type(layer.keras) is keras.layers.BatchNormalization:
                norms.append(reader)
            elif type(layer.keras) in _KEEPS_CONSTANTS:
                waiting.append(reader)
            else:
                return None
    return tuple(dict.fromkeys(norms)) or None


def takes_constant(layout: Layout, name: str) -> bool:
    """Return whether something can be added to what the layer `name` makes."""
    return layout.layers[name].keras.use_bias or norms_behind(layout, name) is not None


def read_layout(model: keras.Model) -> Layout:
    """Return the layout of a functional model."""
    reads = _reads(model)
    times_read = Counter(name for names in reads.values() for name in names)
    layers: dict[str, Layer] = {}
    makes: dict[str, tuple[str, ...]] = {}  # sources of what a layer computes
    widths: dict[str, int] = {}
    bound: set[str] = set()
    for layer in model.operations:
        read = reads[layer.name]
        sources = tuple(source for name in read for source in makes[name])
        shape = layer.output.shape
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        folds = is_norm and times_read[read[0]] == 1 and _is_linear(layers[read[0]].keras)
        norm_cost = _NORM_COST if is_norm and not folds else 0
        layers[layer.name] = Layer(layer, read, sources, math.prod(shape[1:-1]), norm_cost)
        if _keeps_channels(layer):
            makes[layer.name] = sources
            continue
        if not layers[layer.name].is_reader:
            bound.update(sources)
        makes[layer.name] = (layer.name,)
        widths[layer.name] = shape[-1]
    bound.update(makes[model.output._keras_history.operation.name])
    removable = tuple(
        name for name in widths if is_convolution(layers[name].keras) and name not in bound
    )
    return Layout(layers, widths, removable)


def _reads(model: keras.Model) -> dict[str, tuple[str, ...]]:
    """Return the names of the layers that each layer reads."""
    made_by = {id(layer.output): layer.name for layer in model.operations}
    return {
        layer.name: ()
        if isinstance(layer, keras.layers.InputLayer)
        else tuple(made_by[id(tensor)] for tensor in keras.tree.flatten(layer.input))
        for layer in model.operations
    }


def _is_reader(layer: Any) -> bool:
    return is_convolution(layer) or isinstance(layer, keras.layers.Dense)


def is_convolution(layer: Any) -> bool:
    """Return whether `layer` is a convolution each of whose outputs reads all inputs."""
    return type(layer) is keras.layers.Conv2D and layer.groups == 1


def _is_linear(layer: Any) -> bool:
    """Return whether a BatchNorm behind `layer` becomes a part of it."""
    return _is_reader(layer) or _is_depthwise(layer)


def _is_depthwise(layer: Any) -> bool:
    return type(layer) is keras.layers.DepthwiseConv2D and layer.depth_multiplier == 1


def _keeps_channels(layer: Any) -> bool:
    if type(layer) is keras.layers.Concatenate:
        return bool(layer.axis in (-1, len(layer.output.shape) - 1))
    return type(layer) in _CHANNEL_BY_CHANNEL or _is_depthwise(layer)


def _taps(layer: Any) -> int:
    return math.prod(getattr(layer, "kernel_size", (1,)))
