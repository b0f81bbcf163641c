"""Which layers may hand on integers: those that only int8 convolutions read, all by the same scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ncnn_peakmem.conversion.quantization.table import Scales
from ncnn_peakmem.conversion.quantization.target import Target, origins
from ncnn_peakmem.param_file import Graph


def fused(graph: Graph, targets: Sequence[Target], scales: Mapping[str, Scales]) -> Mapping[str, np.float32]:
    """The scale of the integers that a layer makes itself, for each layer that may: a float less to store.

    A Split between them is looked through. A blob that nothing reads is a result, which stays float.
    """
    origin = origins(graph)
    int8 = {target.layer.name for target in targets if target.is_convolution and target.layer.name in scales}
    readers: dict[str, list[str]] = {}
    read = {blob for layer in graph.layers for blob in layer.bottoms}
    for layer in graph.layers:
        if layer.type != "Split":
            for blob in layer.bottoms:
                readers.setdefault(origin[blob], []).append(layer.name)
    results = {origin[blob] for layer in graph.layers for blob in layer.tops if blob not in read}
    made: dict[str, np.float32] = {}
    for target in targets:
        (top,) = target.layer.tops[:1]
        names = readers.get(top, [])
        if target.layer.name not in int8 or top in results or not int8.issuperset(names):
            continue
        wanted = {float(scales[name].bottom) for name in names}
        if len(wanted) == 1:
            made[target.layer.name] = np.float32(wanted.pop())
    return made
