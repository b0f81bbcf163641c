"""Shape inference: what each of ncnn's layers makes of its input, told without running it.

The rules follow `forward` and `load_param` of the layer's own file in ncnn's `src/layer/`, which is named as
the layer is. What they do not know they refuse.
"""

from __future__ import annotations

from collections.abc import Mapping

from ncnn_peakmem.graph.in_place import IN_PLACE
from ncnn_peakmem.graph.shapes import arithmetic, arrange, window
from ncnn_peakmem.graph.shapes.rule import (
    Misfit,
    Rule,
    ShapeError,
    Shapes,
    elements,
    is_possible,
    one,
    refuse,
    written,
)
from ncnn_peakmem.param_file import Layer, ParameterError

__all__ = ["KNOWN", "Misfit", "ShapeError", "Shapes", "elements", "infer", "is_possible", "written"]

_COPYING = frozenset({"Cast", "Dequantize", "MVN", "Quantize", "Requantize", "ShuffleChannel"})
"""Layers that keep the shape of their only bottom, though they do not write over it."""


def _unchanged(layer: Layer, bottoms: Shapes) -> Shapes:  # noqa: ARG001 - a rule
    """Whatever works on one number after the other."""
    return (one(bottoms),)


def _repeated(layer: Layer, bottoms: Shapes) -> Shapes:
    """Split: every top is the bottom itself."""
    return (one(bottoms),) * len(layer.tops)


def _passed_on(layer: Layer, bottoms: Shapes) -> Shapes:
    """Noop: each bottom by another name."""
    return bottoms[: len(layer.tops)]


def _first(layer: Layer, bottoms: Shapes) -> Shapes:
    """Scale: its factors may come as a second blob."""
    if len(bottoms) > (2 if layer.integer(0) == -233 else 1):
        refuse(f"reads {len(bottoms)} blobs")
    return (bottoms[0],)


_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(IN_PLACE | _COPYING, _unchanged),
    "Noop": _passed_on,
    "Scale": _first,
    "Split": _repeated,
    **arithmetic.RULES,
    **arrange.RULES,
    **window.RULES,
}

KNOWN = frozenset(_RULES)
"""The layer types that there is a rule for."""


def infer(layer: Layer, bottoms: Shapes) -> Shapes:
    """The shapes of a layer's tops; ShapeError where they cannot be told, which is never guessed around."""
    rule = _RULES.get(layer.type)
    if rule is None:
        refuse("is of a type whose shapes are not known here")
    if not bottoms and layer.type != "MemoryData":
        refuse("reads no blob")
    try:
        tops = rule(layer, bottoms)
    except ParameterError as error:
        raise ShapeError(str(error)) from error
    if len(tops) != len(layer.tops):
        refuse(f"makes {len(tops)} blobs, and names {len(layer.tops)}")
    for top in tops:
        if not is_possible(top):
            refuse(f"would make a blob of {written(top)}")
    return tops
