"""Layers that slide a window: convolutions, deconvolutions and pooling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ncnn_peakmem.graph.shapes.rule import (
    Rule,
    Shapes,
    elements,
    made,
    misfit,
    of_dims,
    one,
    refuse,
    taken,
    written,
)
from ncnn_peakmem.network import Shape
from ncnn_peakmem.param_file import Layer

SLIDING = frozenset({"Convolution", "ConvolutionDepthWise"})
"""The convolutions over blobs of three dimensions."""

_SAME = (-233, -234)
"""Paddings that keep ceil(size / stride): onnx's SAME_UPPER and SAME_LOWER."""
_KEPT = -233
"""An output size of adaptive pooling that stays as it is."""
_FULL, _VALID = 0, 1
"""Pooling's paddings whose sizes are given: the last window may hang over, or may not."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window along one axis."""

    kernel: int
    dilation: int
    stride: int
    before: int
    after: int

    @property
    def extent(self) -> int:
        """The elements from the first that the window covers to the last."""
        return self.dilation * (self.kernel - 1) + 1

    def stops(self, size: int, *, hanging: bool = False) -> int:
        """In how many places the window fits along `size` elements; `hanging` counts a last partial one."""
        self.check()
        room = size + self.before + self.after - self.extent
        if room < 0:
            refuse(f"has a window of {self.extent}, larger than the {room + self.extent} that it slides over")
        return (room + (self.stride - 1 if hanging else 0)) // self.stride + 1

    def check(self) -> None:
        """ShapeError where it covers nothing, or does not move on."""
        if min(self.stride, self.kernel, self.dilation) < 1:
            refuse(f"has a window of {self.kernel} with stride {self.stride} and dilation {self.dilation}")

    def spread(self, size: int) -> int:
        """The reverse: how many elements a deconvolution makes of `size`, before its padding is cut off."""
        self.check()
        return (size - 1) * self.stride + self.extent


def windows(layer: Layer) -> tuple[Window, Window]:
    """The windows of a convolution's height and width, the paddings still as they are written."""
    width = Window(
        kernel=layer.integer(1),
        dilation=layer.integer(2, 1),
        stride=layer.integer(3, 1),
        before=layer.integer(4),
        after=layer.integer(15, layer.integer(4)),
    )
    top = layer.integer(14, width.before)
    height = Window(
        kernel=layer.integer(11, width.kernel),
        dilation=layer.integer(12, width.dilation),
        stride=layer.integer(13, width.stride),
        before=top,
        after=layer.integer(16, top),
    )
    return height, width


def convolution(layer: Layer, bottoms: Shapes) -> Shapes:
    """Convolution and its depth-wise kind; where a blob has the weights, it tells the kernel as well."""
    height, width = windows(layer)
    filters = layer.integer(0)
    data = bottoms[0]
    _check_dims(data, 1, 3)
    if layer.integer(19):
        filters, _, kernel_h, kernel_w = of_dims(taken(bottoms, 3 if layer.integer(5) else 2)[1], 4)
        height, width = replace(height, kernel=kernel_h), replace(width, kernel=kernel_w)
    elif len(one(bottoms)) == 1:
        return _as_inner_product(layer, data)
    else:
        group = layer.integer(7, 1) if layer.type == "ConvolutionDepthWise" else 1
        _check_groups(group, filters, data)
        _check_weights(layer, filters * (data[0] // group) * height.kernel * width.kernel, data)
    _, h, w = of_dims(data, 3)
    return (made(filters, *_slid(((h, height), (w, width)))),)


def convolution_1d(layer: Layer, bottoms: Shapes) -> Shapes:
    """Convolution1D and its depth-wise kind, over a blob of (channels, width)."""
    if layer.integer(19):
        refuse("takes its weights from another layer")
    data = one(bottoms)
    _check_dims(data, 2)
    h, w = data
    filters, (_, width) = layer.integer(0), windows(layer)
    group = layer.integer(7, 1) if layer.type == "ConvolutionDepthWise1D" else 1
    _check_groups(group, filters, (h, w))
    _check_weights(layer, filters * (h // group) * width.kernel, (h, w))
    return (made(filters, *_slid(((w, width),))),)


def deconvolution(layer: Layer, bottoms: Shapes) -> Shapes:
    """Deconvolution and its depth-wise kind."""
    if layer.integer(28):
        refuse("takes its weights from another layer")
    c, h, w = one(bottoms, 3)
    filters, (height, width) = layer.integer(0), windows(layer)
    group = layer.integer(7, 1) if layer.type == "DeconvolutionDepthWise" else 1
    _check_groups(group, filters, (c, h, w))
    _check_weights(layer, filters * (c // group) * height.kernel * width.kernel, (c, h, w))
    extra_w = layer.integer(18)
    extra_h = layer.integer(19, extra_w)
    asked_w = layer.integer(20)
    asked_h = layer.integer(21, asked_w)
    full_h, full_w = height.spread(h) + extra_h, width.spread(w) + extra_w
    paddings = (height.before, height.after, width.before, width.after)
    if any(padding > 0 for padding in paddings):
        return (made(filters, full_h - height.before - height.after, full_w - width.before - width.after),)
    if asked_w > 0 and asked_h > 0:
        if not any(padding in _SAME for padding in paddings):
            refuse(f"is asked for {asked_h}x{asked_w} without a padding to cut them from")
        return (made(filters, asked_h, asked_w),)
    return (made(filters, full_h, full_w),)


def pooling(layer: Layer, bottoms: Shapes) -> Shapes:
    """Pooling: global, adaptive, or with a window in one of four kinds of padding."""
    c, h, w = one(bottoms, 3)
    if layer.integer(4):
        return (made(c),)
    if layer.integer(7):
        out_w = layer.integer(8)
        out_h = layer.integer(18, out_w)
        return (made(c, h if out_h == _KEPT else out_h, w if out_w == _KEPT else out_w),)
    height, width = pooling_windows(layer)
    mode = layer.integer(5)
    if mode not in (_FULL, _VALID):
        return (made(c, _kept(h, height), _kept(w, width)),)
    return (made(c, height.stops(h, hanging=mode == _FULL), width.stops(w, hanging=mode == _FULL)),)


def pooling_windows(layer: Layer) -> tuple[Window, Window]:
    """The windows of a pooling's height and width, unless it is global or adaptive."""
    left = layer.integer(3)
    width = Window(layer.integer(1), 1, layer.integer(2, 1), left, layer.integer(14, left))
    top = layer.integer(13, left)
    height = Window(
        kernel=layer.integer(11, width.kernel),
        dilation=1,
        stride=layer.integer(12, width.stride),
        before=top,
        after=layer.integer(15, top),
    )
    return height, width


def _slid(axes: tuple[tuple[int, Window], ...]) -> tuple[int, ...]:
    """What a convolution makes of each (size, window); its paddings count all together."""
    paddings = [padding for _, window in axes for padding in (window.before, window.after)]
    if any(padding > 0 for padding in paddings):
        if min(paddings) < 0:
            refuse(f"has paddings of both kinds, {paddings}")
        return tuple(window.stops(size) for size, window in axes)
    if len(set(paddings)) == 1 and paddings[0] in _SAME:
        return tuple(_kept(size, window) for size, window in axes)
    return tuple(replace(window, before=0, after=0).stops(size) for size, window in axes)


def _kept(size: int, window: Window) -> int:
    """The size divided by the stride, rounded up, whatever padding that takes."""
    window.check()
    return (size - 1) // window.stride + 1


def _as_inner_product(layer: Layer, data: Shape) -> Shapes:
    """A 1x1 convolution over a vector, which ncnn runs as an InnerProduct."""
    if layer.type != "Convolution" or any(window.kernel != 1 for window in windows(layer)):
        _check_dims(data, 3)
    _check_weights(layer, layer.integer(0) * elements(data), data)
    return (made(layer.integer(0)),)


def _check_dims(data: Shape, *dims: int) -> None:
    if len(data) not in dims:
        wanted = " or ".join(map(str, dims))
        misfit(f"takes a blob of {wanted} dimensions, not {written(data)}")


def _check_groups(group: int, filters: int, data: Shape) -> None:
    if group < 1 or data[0] % group or filters % group:
        misfit(f"cannot part {data[0]} channels and {filters} filters into {group} groups")


def _check_weights(layer: Layer, expected: int, data: Shape) -> None:
    """ncnn itself runs on whatever channels it is given, and computes nonsense."""
    given = layer.integer(6)
    if given != expected:
        wanted, rest = divmod(given * data[0], expected) if expected > 0 else (0, 1)
        hint = f"; they are for {wanted} channels" if wanted and not rest else ""
        misfit(f"has {given} weights, and would need {expected} for a blob of {data[0]} channels{hint}")


RULES: Mapping[str, Rule] = {
    "Convolution": convolution,
    "Convolution1D": convolution_1d,
    "ConvolutionDepthWise": convolution,
    "ConvolutionDepthWise1D": convolution_1d,
    "Deconvolution": deconvolution,
    "DeconvolutionDepthWise": deconvolution,
    "Pooling": pooling,
}
