"""MobileNet V1 (Howard et al. 2017, arXiv:1704.04861) and V2 (Sandler et al. 2018, arXiv:1801.04381)."""

from ncnn_peakmem.networks.builder import Builder, Tensor

# (channels, stride) of the depthwise separable blocks, table 1; the last one has stride 1, which its 7x7
# output needs: the stride 2 printed there is an error of the paper.
_V1_BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)

# (expansion, channels, repeats, stride) of the inverted residuals, table 2
_V2_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
# Projections are not rectified, so He's weights would double the variance block by block.
_PROJECTION_GAMMA = 0.5


def mobilenet_v1(net: Builder) -> Tensor:
    """Build MobileNet V1 at width 1.0."""
    x = net.relu(net.conv_bn(net.image, 32, kernel=3, stride=2))
    for channels, stride in _V1_BLOCKS:
        x = net.relu(net.conv_bn(x, x.channels, kernel=3, stride=stride, groups=x.channels))
        x = net.relu(net.conv_bn(x, channels, kernel=1))
    return net.dense(net.global_average_pool(x), 1000)


def mobilenet_v2(net: Builder) -> Tensor:
    """Build MobileNet V2 at width 1.0."""
    x = net.relu6(net.conv_bn(net.image, 32, kernel=3, stride=2))
    for expansion, channels, repeats, stride in _V2_STAGES:
        for block in range(repeats):
            x = _inverted_residual(net, x, expansion, channels, stride if block == 0 else 1)
    x = net.relu6(net.conv_bn(x, 1280, kernel=1))
    return net.dense(net.global_average_pool(x), 1000)


def _inverted_residual(net: Builder, x: Tensor, expansion: int, channels: int, stride: int) -> Tensor:
    y = x
    if expansion > 1:
        y = net.relu6(net.conv_bn(y, expansion * x.channels, kernel=1))
    y = net.relu6(net.conv_bn(y, y.channels, kernel=3, stride=stride, groups=y.channels))
    y = net.conv_bn(y, channels, kernel=1, gamma=_PROJECTION_GAMMA)
    return net.add(x, y) if x.shape == y.shape else y
