"""YOLOX (Ge et al. 2021, arXiv:2107.08430), as its authors' YOLOX-Nano, up to what boxes are decoded from."""

from collections.abc import Mapping

from ncnn_peakmem.networks.builder import Builder, Tensor

_CLASSES = 80
_EPSILON = 1e-3
# Swish keeps less of a number than relu: with this the variance neither vanishes nor explodes.
_GAMMA = 1.07


def yolox_nano(net: Builder) -> Mapping[str, Tensor]:
    """Build YOLOX-Nano, a quarter of the width and a third of the depth, with depthwise convolutions.

    For each stride its boxes, their objectness and the classes are joined along the channels.
    """
    third, fourth, fifth = _pyramid(net, *_backbone(net))
    return {f"stride_{stride}": _head(net, x) for stride, x in ((8, third), (16, fourth), (32, fifth))}


def _backbone(net: Builder) -> tuple[Tensor, Tensor, Tensor]:
    """CSPDarknet, and its last three stages."""
    x = _conv(net, net.pixel_unshuffle(net.image, 2), 16, kernel=3)
    x = _stage(net, _separable(net, x, 32, stride=2), 32, depth=1)
    third = _stage(net, _separable(net, x, 64, stride=2), 64, depth=3)
    fourth = _stage(net, _separable(net, third, 128, stride=2), 128, depth=3)
    x = _pooled(net, _separable(net, fourth, 256, stride=2))
    return third, fourth, _stage(net, x, 256, depth=1, shortcut=False)


def _pyramid(net: Builder, third: Tensor, fourth: Tensor, fifth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """PAFPN: from the coarsest map up to the finest, and down again."""
    top = _conv(net, fifth, 128, kernel=1)
    x = _stage(net, net.concat([net.upsample(top), fourth]), 128, depth=1, shortcut=False)
    middle = _conv(net, x, 64, kernel=1)
    third = _stage(net, net.concat([net.upsample(middle), third]), 64, depth=1, shortcut=False)
    x = net.concat([_separable(net, third, 64, stride=2), middle])
    fourth = _stage(net, x, 128, depth=1, shortcut=False)
    x = net.concat([_separable(net, fourth, 128, stride=2), top])
    return third, fourth, _stage(net, x, 256, depth=1, shortcut=False)


def _head(net: Builder, x: Tensor) -> Tensor:
    """The decoupled head of a stride."""
    x = _conv(net, x, 64, kernel=1)
    classified, located = (_separable(net, _separable(net, x, 64), 64) for _ in range(2))
    classes = net.sigmoid(net.conv(classified, _CLASSES, kernel=1))
    boxes = net.conv(located, 4, kernel=1)
    objectness = net.sigmoid(net.conv(located, 1, kernel=1))
    return net.concat([boxes, objectness, classes])


def _stage(net: Builder, x: Tensor, channels: int, depth: int, shortcut: bool = True) -> Tensor:
    """A cross-stage partial layer: half of the channels pass through bottlenecks."""
    worked, kept = (_conv(net, x, channels // 2, kernel=1) for _ in range(2))
    for _ in range(depth):
        # pnnx makes no Swish of these activations, which a sum takes up: they stay Sigmoid and BinaryOp.
        y = _separable(net, _conv(net, worked, channels // 2, kernel=1), channels // 2)
        worked = net.add(worked, y) if shortcut else y
    return _conv(net, net.concat([worked, kept]), channels, kernel=1)


def _pooled(net: Builder, x: Tensor) -> Tensor:
    """Spatial pyramid pooling."""
    channels = x.channels
    x = _conv(net, x, channels // 2, kernel=1)
    pools = [net.max_pool(x, kernel, stride=1, padding=kernel // 2) for kernel in (5, 9, 13)]
    return _conv(net, net.concat([x, *pools]), channels, kernel=1)


def _separable(net: Builder, x: Tensor, channels: int, stride: int = 1) -> Tensor:
    x = _conv(net, x, x.channels, kernel=3, stride=stride, groups=x.channels)
    return _conv(net, x, channels, kernel=1)


def _conv(net: Builder, x: Tensor, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> Tensor:
    y = net.conv_bn(x, channels, kernel, stride=stride, groups=groups, gamma=_GAMMA, epsilon=_EPSILON)
    return net.swish(y)
