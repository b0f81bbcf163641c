"""EfficientNet (Tan and Le 2019, arXiv:1905.11946)."""

from ncnn_peakmem.networks.builder import Builder, Tensor
from ncnn_peakmem.networks.squeeze_excitation import excited

# (expansion, kernel, stride, channels, repeats) of the stages 2 to 8, table 1
_B0_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
# A gate is about a half, and swish keeps less of a number than relu: with these the variance stays.
_PROJECTION_GAMMA = 1.2
_DEPTHWISE_GAMMA = 1.05


def efficientnet_b0(net: Builder) -> Tensor:
    """Build EfficientNet-B0."""
    x = net.swish(net.conv_bn(net.image, 32, kernel=3, stride=2))
    for expansion, kernel, stride, channels, repeats in _B0_STAGES:
        for block in range(repeats):
            x = _inverted_residual(net, x, expansion, kernel, stride if block == 0 else 1, channels)
    x = net.swish(net.conv_bn(x, 1280, kernel=1))
    return net.dense(net.global_average_pool(x), 1000)


def _inverted_residual(
    net: Builder, x: Tensor, expansion: int, kernel: int, stride: int, channels: int
) -> Tensor:
    y = x
    if expansion > 1:
        y = net.swish(net.conv_bn(y, expansion * x.channels, kernel=1))
    y = net.conv_bn(y, y.channels, kernel, stride=stride, groups=y.channels, gamma=_DEPTHWISE_GAMMA)
    y = net.swish(y)
    # A quarter of what came in, not of what it was expanded to.
    y = excited(net, y, x.channels // 4, net.swish, net.sigmoid)
    y = net.conv_bn(y, channels, kernel=1, gamma=_PROJECTION_GAMMA)
    return net.add(x, y) if x.shape == y.shape else y
