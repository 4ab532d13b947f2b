"""State dicts of PyTorch are read as arrays; everything else in such a file is an error."""

import os
import pickle
import resource
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edgeclf.edge_runtime import EdgeclfError
from edgeclf.models.networks.torch_weights import MAGIC, read_state_dict
from edgeclf.models.networks.weights import read_weights

RNG = np.random.default_rng(0)
ARRAYS = {
    "_conv_stem.weight": RNG.normal(size=(4, 3, 5, 5)).astype("f4"),
    "_blocks.0._bn1.weight": RNG.normal(size=4).astype("f4"),
    "_blocks.0._bn1.bias": RNG.normal(size=4).astype("f4"),
    "_blocks.0._bn1.running_mean": RNG.normal(size=4).astype("f4"),
    "_blocks.0._bn1.running_var": RNG.uniform(size=4).astype("f4"),
    "_blocks.0._bn1.num_batches_tracked": np.array(7),
    "_blocks.0._depthwise_conv.weight": RNG.normal(size=(4, 1, 3, 3)).astype("f4"),
    "_fc.weight": RNG.normal(size=(6, 4)).astype("f4"),
    "_fc.bias": RNG.normal(size=6).astype("f4"),
}


class Tensor:
    """What PyTorch pickles of an array that is all of its storage, its axes perhaps turned."""

    def __init__(self, array: np.ndarray, *, size: int | None = None, strides: Any = None) -> None:
        self.array = array
        self.size = array.size if size is None else size
        self.strides = strides or tuple(step // array.itemsize for step in array.strides)
        self.key = str(id(self))

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (self, 0, self.array.shape, self.strides, False, OrderedDict())


@pytest.fixture(autouse=True)
def torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of PyTorch that `pickle` must find to write them; reading needs none."""
    torch, inside = ModuleType("torch"), ModuleType("torch._utils")

    def rebuild(*_: object) -> None:
        raise AssertionError("what a file names is called")

    for module, name, value in (
        (torch, "FloatStorage", type("FloatStorage", (), {"__module__": "torch"})),
        (torch, "LongStorage", type("LongStorage", (), {"__module__": "torch"})),
        (inside, "_rebuild_tensor_v2", rebuild),
    ):
        setattr(module, name, value)
    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", inside)


class Pickler(pickle._Pickler):
    """Writes a tensor's storage where it is asked for the second time, within the tensor."""

    def __init__(self, file: BytesIO) -> None:
        super().__init__(file, protocol=2)
        self.tensors: list[Tensor] = []

    def persistent_id(self, found: Any) -> Any:
        if not isinstance(found, Tensor) or found not in self.tensors:
            if isinstance(found, Tensor):
                self.tensors.append(found)
            return None
        kind = "FloatStorage" if found.array.dtype == "f4" else "LongStorage"
        return "storage", getattr(sys.modules["torch"], kind), found.key, "cpu", found.size, None


def saved(state: Any, *, keys: Callable[[list[str]], list[Any]] = sorted) -> bytes:
    """Return `state` as `torch.save` wrote it before version 1.6."""
    file = BytesIO()
    for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True, "type_sizes": {"int": 4}}):
        pickle.dump(part, file, protocol=2)
    pickler = Pickler(file)
    pickler.dump(state)
    tensors = {tensor.key: tensor for tensor in pickler.tensors}
    pickle.dump(keys(list(tensors)), file, protocol=2)
    for key in sorted(tensors):
        values = tensors[key].array
        content = np.asarray(values).ravel("K").tobytes()
        file.write(struct.pack("<q", tensors[key].size) + content)
    return file.getvalue()


def state_dict(arrays: dict[str, np.ndarray]) -> OrderedDict[str, Tensor]:
    state = OrderedDict((name, Tensor(array)) for name, array in arrays.items())
    state._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    return state


def test_a_state_dict_is_read_whole() -> None:
    content = saved(state_dict(ARRAYS))
    assert content.startswith(MAGIC)
    found = read_state_dict(content)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)


def test_a_tensor_whose_axes_are_turned_is_read_as_it_is() -> None:
    turned = np.ascontiguousarray(RNG.normal(size=(3, 3, 2, 5)).astype("f4")).transpose(3, 2, 0, 1)
    found = read_state_dict(saved({"turned": Tensor(turned)}))
    np.testing.assert_array_equal(found["turned"], turned)


@pytest.mark.parametrize("suffix", [".pth", ".npz"])
def test_weights_come_by_our_names_in_the_axes_of_keras(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    in_keras = {
        "_conv_stem.weight": ARRAYS["_conv_stem.weight"].transpose(2, 3, 1, 0),
        "_blocks.0._depthwise_conv.weight": ARRAYS["_blocks.0._depthwise_conv.weight"].transpose(
            2, 3, 0, 1
        ),
        "_fc.weight": ARRAYS["_fc.weight"].T,
    }
    if suffix == ".pth":
        path.write_bytes(saved(state_dict(ARRAYS)))
    else:
        np.savez(path, **ARRAYS | in_keras)
    weights = read_weights(path)
    assert {name: len(arrays) for name, arrays in weights.items()} == {
        "conv_stem": 1, "blocks_0_bn1": 4, "blocks_0_depthwise_conv": 1, "predictions": 2,
    }  # fmt: skip
    names = ("conv_stem", "blocks_0_depthwise_conv", "predictions")
    for name, expected in zip(names, in_keras.values(), strict=True):
        np.testing.assert_array_equal(weights[name][0], expected)
    for array, kind in zip(
        weights["blocks_0_bn1"], ("weight", "bias", "running_mean", "running_var"), strict=True
    ):
        np.testing.assert_array_equal(array, ARRAYS[f"_blocks.0._bn1.{kind}"])


class Calls:
    """Pickled as a call."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def shell(folder: Path) -> Any:
    return {"weight": Calls(os.system, (f"touch {folder}/called",))}


def evaluated(folder: Path) -> Any:
    return Calls(eval, (f"open({str(folder / 'called')!r}, 'w')",))


def in_a_dict(folder: Path) -> Any:
    return OrderedDict({"a": Tensor(ARRAYS["_fc.bias"]), "b": shell(folder)})


def in_the_state(folder: Path) -> Any:
    state = state_dict(ARRAYS)
    state._metadata = shell(folder)  # type: ignore[attr-defined]
    return state


def of_a_class(folder: Path) -> Any:
    return Path(folder)  # `pathlib` by a call, as any class of any module


def no_tensor(_folder: Path) -> Any:
    return {"weight": [1, 2]}


def beyond_the_file(_folder: Path) -> Any:
    return {"weight": Tensor(ARRAYS["_fc.bias"], size=2**60)}


def large_steps(_folder: Path) -> Any:
    return {"weight": Tensor(ARRAYS["_fc.bias"], strides=(2**40,))}


def shared_storage(_folder: Path) -> Any:
    tensor = Tensor(ARRAYS["_fc.bias"])
    call, arguments = tensor.__reduce__()
    return {"one": tensor, "other": Calls(call, arguments)}


def nested_keys(_folder: Path) -> Any:
    nested: Any = ()
    for _ in range(100):
        nested = (nested, nested)
    return Calls(os.system, nested)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (shell, "calls 'posix system'"), (evaluated, "calls '__builtin__ eval'"),
        (in_a_dict, "calls 'posix system'"), (in_the_state, "calls 'posix system'"),
        (of_a_class, "calls 'pathlib"), (no_tensor, "'weight' is no tensor"),
        (beyond_the_file, "not all of its storage"), (large_steps, "not all of its storage"),
        (shared_storage, "a storage of their own"), (nested_keys, "calls 'posix system'"),
    ],
)  # fmt: skip
def test_what_is_no_state_dict_is_refused(tmp_path: Path, make: Any, reason: str) -> None:
    path = tmp_path / "hostile.pth"
    path.write_bytes(saved(make(tmp_path)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(EdgeclfError, match=reason) as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "called").exists()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@pytest.mark.parametrize(
    ("pickled", "reason"),
    [
        (b"\x80\x04\x8c\x05posix\x8c\x06system\x93.", "SHORT_BINUNICODE"),
        (b"(S'true'\niposix\nsystem\n.", "STRING"),
        (b"cposix\nsystem\n)\x81.", "NEWOBJ"),
        (b"\x82\x01.", "EXT1"),
        (b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f.", "FRAME|bytes"),
        (b"\x96\xff\xff\xff\xff\xff\xff\xff\x7f.", "BYTEARRAY8|bytes"),
        (b"}r\xff\xff\xff\xff.", "storage|no state dict|without an end|cut"),
        (b"0.", "POP"), (b"R.", "more than it gave"), (b"u.", "more than it gave"),
        (b"s.", "more than it gave"), (b"h\x05.", "5"), (b"](K\x01K\x02u.", "SETITEMS on a list"),
        (b"}(K\x01K\x02u.", "SETITEMS on a dict"), (b"}", "end|exhausted|EOF"),
    ],
)  # fmt: skip
def test_other_instructions_are_refused(tmp_path: Path, pickled: bytes, reason: str) -> None:
    path = tmp_path / "hostile.pth"
    start = b"".join(
        pickle.dumps(part, protocol=2)
        for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    )
    path.write_bytes(start + pickled)
    with pytest.raises(EdgeclfError, match=reason):
        read_weights(path)


def test_a_file_that_is_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    content = saved(state_dict(ARRAYS))
    path = tmp_path / "cut.pth"
    for length in range(len(MAGIC), len(content), 37):
        path.write_bytes(content[:length])
        with pytest.raises(EdgeclfError, match="no readable Keras weights"):
            read_weights(path)


def test_other_keys_than_those_of_the_storages_are_refused() -> None:
    with pytest.raises(ValueError, match="a storage of their own"):
        read_state_dict(saved(state_dict(ARRAYS), keys=lambda keys: [*sorted(keys), "more"]))
    with pytest.raises(ValueError, match="no state dict"):
        read_state_dict(saved(state_dict(ARRAYS), keys=lambda _: [1, 2]))
