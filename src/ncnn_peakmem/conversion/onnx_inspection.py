"""Looks into an ONNX file: `python -m ncnn_peakmem.conversion.onnx_inspection MODEL RESULT`.

A process of its own, because a large model's weights would stay in the parent's memory. Refuses in words
what cannot be converted rightly: onnxsim converts a model whose external data is cut short without complaint.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto
from onnx.external_data_helper import uses_external_data

from ncnn_peakmem.conversion.bench import refuse
from ncnn_peakmem.conversion.onnx_file import MOST_RESULT_BYTES

_MOST_DATA_BYTES = 16 << 30
_MOST_NAMED = 4
_ONNX_DOMAIN = "ai.onnx"
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
    _check_operators(model)
    _check_fit(model.graph)
    locations = {_checked_location(tensor, path.parent) for tensor in _tensors(model)} - {None}
    data = sorted(str(location) for location in locations)
    total = sum((path.parent / location).stat().st_size for location in data)
    if total > _MOST_DATA_BYTES:
        refuse(f"its external data files have {total} bytes; up to {_MOST_DATA_BYTES} can be converted")
    result = json.dumps({"inputs": _inputs(model.graph), "data": data})
    if len(result) > MOST_RESULT_BYTES:
        refuse("it names more inputs and data files than any model has")
    Path(result_file).write_text(result, encoding="utf-8")


def _load(path: Path) -> onnx.ModelProto:
    with path.open("rb") as file:
        head = file.read(len(_GIT_LFS))
    if not head:
        refuse(f"{path} is empty")
    if head == _GIT_LFS:
        refuse(f"{path} is a Git LFS pointer; `git lfs pull` fetches the model")
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, RecursionError):
        refuse(f"{path} is not ONNX, or it is cut short")
    if not model.graph.node:
        refuse(f"{path} holds no ONNX graph")
    return model


def _check_operators(model: onnx.ModelProto) -> None:
    """Refuse operators that are not ONNX's own, on which pnnx would crash."""
    versions = {imported.domain: imported.version for imported in model.opset_import}
    functions = {(function.domain, function.name) for function in model.functions}
    found = []
    for node in _nodes(model.graph.node):
        domain, operator = _text(node.domain), _text(node.op_type)
        if (domain, operator) in functions:
            continue
        if domain not in ("", _ONNX_DOMAIN):
            found.append(f"{domain:.60}::{operator:.60} (node {_name_of(node)})")
        elif not onnx.defs.has(operator):
            found.append(f"{operator:.60} (node {_name_of(node)})")
    if found:
        rest = [f"and {len(found) - _MOST_NAMED} more"] if len(found) > _MOST_NAMED else []
        shown = ", ".join([*found[:_MOST_NAMED], *rest])
        opset = versions.get("", versions.get(_ONNX_DOMAIN, 0))
        refuse(f"ONNX (opset {opset}) has no operator {shown}; replace it by ONNX's own")


def _check_fit(graph: onnx.GraphProto) -> None:
    """Refuse what reaches a node and does not fit its weights, where the model tells both: pnnx crashes."""
    weights = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    values = (*graph.input, *graph.value_info, *graph.output)
    shapes = {value.name: [size.dim_value for size in value.type.tensor_type.shape.dim] for value in values}
    for node in graph.node:
        if len(node.input) < 2 or node.input[1] not in weights or not shapes.get(node.input[0]):
            continue
        data, given = node.input[0], shapes[node.input[0]]
        attributes = {attribute.name: attribute.i for attribute in node.attribute}
        weight = weights[node.input[1]]
        axis, wanted = 1, 0
        if node.op_type == "Conv" and len(weight) > 2:
            wanted = weight[1] * attributes.get("group", 1)
        elif node.op_type == "Gemm" and len(weight) == 2:
            axis = 0 if attributes.get("transA", 0) else 1
            wanted = weight[1 if attributes.get("transB", 0) else 0]
        elif node.op_type == "MatMul" and len(weight) == 2:
            axis, wanted = len(given) - 1, weight[0]
        if wanted and axis < len(given) and given[axis] not in (0, wanted):
            refuse(
                f"node {_name_of(node)} ({node.op_type}) has weights for {wanted} at axis {axis} "
                f"of {_text(data):.60}, which is {given}: check the input shapes"
            )


def _nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for subgraph in (attribute.g, *attribute.graphs):
                yield from _nodes(subgraph.node)


def _name_of(node: onnx.NodeProto) -> str:
    return f"{_text(node.name):.60}" or f"that makes {', '.join(map(_text, node.output[:1])):.60}"


def _inputs(graph: onnx.GraphProto) -> list[dict[str, Any]]:
    weights = {tensor.name for tensor in graph.initializer}
    return [_input(value) for value in graph.input if value.name not in weights]


def _input(value: onnx.ValueInfoProto) -> dict[str, Any]:
    tensor = value.type.tensor_type
    if tensor.elem_type != TensorProto.FLOAT:
        kinds = {number: name for name, number in TensorProto.DataType.items()}
        kind = kinds.get(tensor.elem_type, "something unknown").lower()
        refuse(f"input {value.name} holds {kind}; only float (32 bits) inputs can be measured")
    sizes = [size.dim_value or _text(size.dim_param) or "?" for size in tensor.shape.dim]
    return {"name": _text(value.name), "sizes": sizes if tensor.HasField("shape") else None}


def _text(value: object) -> str:
    """Protobuf gives a string that is no UTF-8 as bytes."""
    if not isinstance(value, str):
        refuse(f"it holds the name {value!r:.40}, which is no text")
    return value


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
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for subgraph in (attribute.g, *attribute.graphs):
                yield from _graph_tensors(subgraph)


def _checked_location(tensor: TensorProto, folder: Path) -> str | None:
    if not uses_external_data(tensor):
        return None
    named = {_text(entry.key): _text(entry.value) for entry in tensor.external_data}
    location = named.get("location", "")
    file = folder / location
    if not location or not _is_inside(file, folder):
        refuse(f"tensor {tensor.name} lies in {location[:200]!r}, outside the model's folder")
    if not file.is_file():
        refuse(f"tensor {tensor.name} lies in the external data file {location}, which is missing")
    offset, length = (_place(tensor, named, key) for key in ("offset", "length"))
    end, size = offset + max(length, _byte_count(tensor)), file.stat().st_size
    if end > size:
        refuse(
            f"the external data file {location} is cut short: "
            f"it has {size} bytes, tensor {tensor.name} ends at byte {end}"
        )
    return location


def _is_inside(file: Path, folder: Path) -> bool:
    try:
        # Whatever is wrong with the name shows here, before anything else asks for it.
        file.is_file()
        return file.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        # Too long a name, links in a circle, a NUL.
        return False


def _place(tensor: TensorProto, named: Mapping[str, str], key: str) -> int:
    text = named.get(key, "0")
    if not re.fullmatch(r"[0-9]{1,18}", text):
        refuse(f"tensor {tensor.name} has the {key} {text[:40]!r} in its external data file")
    return int(text)


def _byte_count(tensor: TensorProto) -> int:
    """The bytes of a tensor of a common type; of a rare, packed one only its `length` tells."""
    if any(size < 0 for size in tensor.dims):
        refuse(f"tensor {tensor.name} has the shape {list(tensor.dims)[:8]}")
    count: int = math.prod(tensor.dims)
    return count * _WIDTHS.get(tensor.data_type, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
