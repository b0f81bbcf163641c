"""MobileNet V3 (Howard et al. 2019, arXiv:1905.02244)."""

from dataclasses import dataclass

from ncnn_peakmem.networks.builder import Builder, Tensor
from ncnn_peakmem.networks.squeeze_excitation import excited

_EPSILON = 1e-3
# Projections are not rectified, a gate is about a half, and hard swish keeps less of a number than relu: with
# these the variance neither vanishes nor explodes.
_PROJECTION_GAMMA = 0.5
_GATED_GAMMA = 1.2
_HARD_GAMMA = 1.1


@dataclass(frozen=True)
class _Block:
    """A row of the paper's table 1 or 2; `squeezes`: has squeeze and excitation, `hard`: HS, not RE."""

    kernel: int
    expanded: int
    channels: int
    squeezes: bool
    hard: bool
    stride: int = 1


_LARGE = (
    _Block(3, 16, 16, squeezes=False, hard=False),
    _Block(3, 64, 24, squeezes=False, hard=False, stride=2),
    _Block(3, 72, 24, squeezes=False, hard=False),
    _Block(5, 72, 40, squeezes=True, hard=False, stride=2),
    *[_Block(5, 120, 40, squeezes=True, hard=False)] * 2,
    _Block(3, 240, 80, squeezes=False, hard=True, stride=2),
    _Block(3, 200, 80, squeezes=False, hard=True),
    *[_Block(3, 184, 80, squeezes=False, hard=True)] * 2,
    _Block(3, 480, 112, squeezes=True, hard=True),
    _Block(3, 672, 112, squeezes=True, hard=True),
    _Block(5, 672, 160, squeezes=True, hard=True, stride=2),
    *[_Block(5, 960, 160, squeezes=True, hard=True)] * 2,
)
_SMALL = (
    _Block(3, 16, 16, squeezes=True, hard=False, stride=2),
    _Block(3, 72, 24, squeezes=False, hard=False, stride=2),
    _Block(3, 88, 24, squeezes=False, hard=False),
    _Block(5, 96, 40, squeezes=True, hard=True, stride=2),
    *[_Block(5, 240, 40, squeezes=True, hard=True)] * 2,
    _Block(5, 120, 48, squeezes=True, hard=True),
    _Block(5, 144, 48, squeezes=True, hard=True),
    _Block(5, 288, 96, squeezes=True, hard=True, stride=2),
    *[_Block(5, 576, 96, squeezes=True, hard=True)] * 2,
)


def mobilenet_v3_large(net: Builder) -> Tensor:
    """Build MobileNet V3 Large at width 1.0."""
    return _mobilenet_v3(net, _LARGE, features=1280)


def mobilenet_v3_small(net: Builder) -> Tensor:
    """Build MobileNet V3 Small at width 1.0."""
    return _mobilenet_v3(net, _SMALL, features=1024)


def _mobilenet_v3(net: Builder, blocks: tuple[_Block, ...], features: int) -> Tensor:
    x = net.hard_swish(_conv(net, net.image, 16, kernel=3, stride=2))
    for block in blocks:
        x = _inverted_residual(net, x, block)
    x = net.hard_swish(_conv(net, x, 6 * x.channels, kernel=1))
    x = net.hard_swish(net.dense(net.global_average_pool(x), features))
    return net.dense(x, 1000)


def _inverted_residual(net: Builder, x: Tensor, block: _Block) -> Tensor:
    activation = net.hard_swish if block.hard else net.relu
    y = x
    if block.expanded != x.channels:
        y = activation(_conv(net, y, block.expanded, kernel=1))
    gamma = _HARD_GAMMA if block.hard else 1.0
    depthwise = _conv(net, y, y.channels, block.kernel, stride=block.stride, groups=y.channels, gamma=gamma)
    y = activation(depthwise)
    if block.squeezes:
        # torchvision rounds a quarter of the channels to a multiple of 8, and up if it would lose a tenth.
        y = excited(net, y, _eights(block.expanded // 4), net.relu, net.hard_sigmoid)
    gamma = _GATED_GAMMA if block.squeezes else _PROJECTION_GAMMA
    y = _conv(net, y, block.channels, kernel=1, gamma=gamma * (_HARD_GAMMA if block.hard else 1.0))
    return net.add(x, y) if x.shape == y.shape else y


def _conv(
    net: Builder,
    x: Tensor,
    channels: int,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    gamma: float = 1.0,
) -> Tensor:
    return net.conv_bn(x, channels, kernel, stride=stride, groups=groups, gamma=gamma, epsilon=_EPSILON)


def _eights(channels: int) -> int:
    rounded = max(8, (channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
