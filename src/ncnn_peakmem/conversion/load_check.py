"""Loads a converted network into ncnn: `python -m ncnn_peakmem.conversion.load_check PARAM BIN ONNX`.

A process of its own, because ncnn may crash on files it should refuse. Refuses them in words.
"""

from __future__ import annotations

import sys
from pathlib import Path

import ncnn  # type: ignore[import-untyped]
import onnx

from ncnn_peakmem import param_file
from ncnn_peakmem.conversion.bench import refuse

# Enough to see what is wrong with a model of which nothing fits.
_MOST_NAMED = 4


def main(param: str, weights: str, onnx_file: str) -> None:
    """Refuse the files unless ncnn knows every layer and loads both files; `onnx_file` names the nodes."""
    layers = param_file.read(Path(param)).layers
    known = {kind: ncnn.layer_to_index(kind) >= 0 for kind in {layer.type for layer in layers}}
    unknown = [layer for layer in layers if not known[layer.type]]
    if unknown:
        nodes = _nodes(Path(onnx_file))
        named = [_named(layer, nodes.get(layer.type, [])) for layer in unknown[:_MOST_NAMED]]
        rest = len(unknown) - len(named)
        refuse("; ".join([*named, f"and {rest} more"] if rest else named))
    net = ncnn.Net()
    if (code := net.load_param(param)) != 0:
        refuse(f"ncnn's load_param returned {code}")
    if (code := net.load_model(weights)) != 0:
        refuse(f"ncnn's load_model returned {code}")


def _nodes(file: Path) -> dict[str, list[str]]:
    """The names of a model's nodes by operator, in its order."""
    nodes: dict[str, list[str]] = {}
    if file.is_file():
        for node in onnx.load(file, load_external_data=False).graph.node:
            nodes.setdefault(node.op_type, []).append(node.name or f"that makes {node.output[0]}")
    return nodes


def _named(layer: param_file.Layer, nodes: list[str]) -> str:
    """One layer that ncnn lacks; pnnx keeps the order of the nodes, and drops their names."""
    node = f" (node {nodes.pop(0)})" if nodes else ""
    return f"operator {layer.type}{node} has no ncnn layer, pnnx left it as layer {layer.name}"


if __name__ == "__main__":
    main(*sys.argv[1:])
