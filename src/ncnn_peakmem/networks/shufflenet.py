"""ShuffleNet V2 (Ma et al. 2018, arXiv:1807.11164)."""

import math

from ncnn_peakmem.networks.builder import Builder, Tensor

# (units, channels) of stages 2 to 4 at width 1.0, table 5
_STAGES = ((4, 116), (8, 232), (4, 464))
# Depthwise outputs are not rectified here, so He's weights after them would double the variance unit by unit.
_UNRECTIFIED_GAMMA = math.sqrt(0.5)


def shufflenet_v2(net: Builder) -> Tensor:
    """Build ShuffleNet V2 at width 1.0."""
    x = net.relu(net.conv_bn(net.image, 24, kernel=3, stride=2))
    x = net.max_pool(x, kernel=3, stride=2, padding=1)
    for units, channels in _STAGES:
        x = _downsampling_unit(net, x, channels)
        for _ in range(units - 1):
            x = _basic_unit(net, x)
    x = net.relu(net.conv_bn(x, 1024, kernel=1))
    return net.dense(net.global_average_pool(x), 1000)


def _basic_unit(net: Builder, x: Tensor) -> Tensor:
    kept, worked = net.halve(x)
    return net.channel_shuffle(net.concat([kept, _branch(net, worked, worked.channels, stride=1)]), groups=2)


def _downsampling_unit(net: Builder, x: Tensor, channels: int) -> Tensor:
    pooled = _depthwise(net, x, stride=2)
    left = net.relu(net.conv_bn(pooled, channels // 2, kernel=1, gamma=_UNRECTIFIED_GAMMA))
    right = _branch(net, x, channels // 2, stride=2)
    return net.channel_shuffle(net.concat([left, right]), groups=2)


def _branch(net: Builder, x: Tensor, channels: int, stride: int) -> Tensor:
    x = net.relu(net.conv_bn(x, channels, kernel=1))
    x = _depthwise(net, x, stride)
    return net.relu(net.conv_bn(x, channels, kernel=1, gamma=_UNRECTIFIED_GAMMA))


def _depthwise(net: Builder, x: Tensor, stride: int) -> Tensor:
    return net.conv_bn(x, x.channels, kernel=3, stride=stride, groups=x.channels)
