"""Looks into an ONNX file: `python -m ncnn_peakmem.conversion.onnx_inspection MODEL RESULT`.

A process of its own, because a large model's weights would stay in the parent's memory. Refuses in words
what cannot be converted rightly: onnxsim converts a model whose external data is cut short without complaint.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from ncnn_peakmem.conversion.bench import refuse

_GIT_LFS = b"version https://git-lfs"
_WIDTHS: dict[int, int] = {
    TensorProto.FLOAT: 4,
    TensorProto.DOUBLE: 8,
    TensorProto.FLOAT16: 2,
    TensorProto.BFLOAT16: 2,
    TensorProto.BOOL: 1,
    TensorProto.INT8: 1,
    TensorProto.UINT8: 1,
    TensorProto.INT16: 2,
    TensorProto.UINT16: 2,
    TensorProto.INT32: 4,
    TensorProto.UINT32: 4,
    TensorProto.INT64: 8,
    TensorProto.UINT64: 8,
}


def main(model_file: str, result_file: str) -> None:
    """Write the model's inputs and external data files as JSON, or refuse it."""
    path = Path(model_file)
    model = _load(path)
    locations = {_checked_location(tensor, path.parent) for tensor in _tensors(model)} - {None}
    result = {"inputs": _inputs(model.graph), "data": sorted(str(location) for location in locations)}
    Path(result_file).write_text(json.dumps(result), encoding="utf-8")


def _load(path: Path) -> onnx.ModelProto:
    with path.open("rb") as file:
        head = file.read(len(_GIT_LFS))
    if not head:
        refuse(f"{path} is empty")
    if head == _GIT_LFS:
        refuse(f"{path} is a Git LFS pointer; `git lfs pull` fetches the model")
    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError:
        refuse(f"{path} is not ONNX, or it is cut short")
    if not model.graph.node:
        refuse(f"{path} holds no ONNX graph")
    return model


def _inputs(graph: onnx.GraphProto) -> list[dict[str, Any]]:
    weights = {tensor.name for tensor in graph.initializer}
    return [_input(value) for value in graph.input if value.name not in weights]


def _input(value: onnx.ValueInfoProto) -> dict[str, Any]:
    tensor = value.type.tensor_type
    if tensor.elem_type != TensorProto.FLOAT:
        kind = TensorProto.DataType.Name(tensor.elem_type).lower()
        refuse(f"input {value.name} holds {kind}; only float (32 bits) inputs can be measured")
    sizes = [size.dim_value or size.dim_param or "?" for size in tensor.shape.dim]
    return {"name": value.name, "sizes": sizes if tensor.HasField("shape") else None}


def _tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    yield from _graph_tensors(model.graph)
    for function in model.functions:
        yield from _node_tensors(function.node)


def _graph_tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _node_tensors(graph.node)


def _node_tensors(nodes: Iterable[onnx.NodeProto]) -> Iterator[TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for subgraph in (attribute.g, *attribute.graphs):
                yield from _graph_tensors(subgraph)


def _checked_location(tensor: TensorProto, folder: Path) -> str | None:
    if not uses_external_data(tensor):
        return None
    info = ExternalDataInfo(tensor)
    file = folder / info.location
    if not info.location or not file.resolve().is_relative_to(folder.resolve()):
        refuse(f"tensor {tensor.name} lies in {info.location!r}, outside the model's folder")
    if not file.is_file():
        refuse(f"the external data file {info.location} is missing")
    needed = max(info.length or 0, _byte_count(tensor))
    end, size = (info.offset or 0) + needed, file.stat().st_size
    if end > size:
        refuse(
            f"the external data file {info.location} is cut short: "
            f"it has {size} bytes, tensor {tensor.name} ends at byte {end}"
        )
    return str(info.location)


def _byte_count(tensor: TensorProto) -> int:
    """The bytes of a tensor of a common type; of a rare, packed one only its `length` tells."""
    count: int = math.prod(tensor.dims)
    return count * _WIDTHS.get(tensor.data_type, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
