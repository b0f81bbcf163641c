"""Whether the inputs of a ncnn network fit its weights: ncnn runs on any, and gives finite nonsense."""

from __future__ import annotations

from collections.abc import Iterable

from ncnn_peakmem import param_file
from ncnn_peakmem.graph import shapes
from ncnn_peakmem.network import InputBlob
from ncnn_peakmem.param_file import Layer


def misfit(graph: param_file.Graph, inputs: Iterable[InputBlob]) -> str:
    """In words, the first layer that cannot take what reaches it; empty where none is known.

    What a layer makes whose shapes cannot be told is left out, with all that is made of it.
    """
    known = {blob.name: blob.shape for blob in inputs}
    for layer in graph.layers:
        if any(blob not in known for blob in layer.bottoms):
            continue
        bottoms = tuple(known[blob] for blob in layer.bottoms)
        try:
            known.update(zip(layer.tops, shapes.infer(layer, bottoms), strict=True))
        except shapes.Misfit as error:
            return f"{_reading(layer, bottoms)} {error}"
        except shapes.ShapeError:
            continue
    return ""


def _reading(layer: Layer, bottoms: shapes.Shapes) -> str:
    blobs = ", ".join(
        f"{_shown(blob)} of {shapes.written(shape)}"
        for blob, shape in zip(layer.bottoms, bottoms, strict=True)
    )
    return f"layer {_shown(layer.name)} of type {layer.type:.40}, which reads {blobs},"


def _shown(name: str) -> str:
    """A name out of somebody's file, which may be of any length."""
    return f"{name!r:.60}"
