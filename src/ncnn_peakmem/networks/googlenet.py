"""GoogLeNet (Szegedy et al. 2014, arXiv:1409.4842) with batch normalization, without its auxiliary heads."""

from dataclasses import dataclass

from ncnn_peakmem.networks.builder import Builder, Tensor


@dataclass(frozen=True)
class _Inception:
    """A row of the paper's table 1: the output channels of each convolution."""

    conv1: int
    reduce3: int
    conv3: int
    reduce5: int
    conv5: int
    pool: int


_STAGE_3 = (_Inception(64, 96, 128, 16, 32, 32), _Inception(128, 128, 192, 32, 96, 64))
_STAGE_4 = (
    _Inception(192, 96, 208, 16, 48, 64),
    _Inception(160, 112, 224, 24, 64, 64),
    _Inception(128, 128, 256, 24, 64, 64),
    _Inception(112, 144, 288, 32, 64, 64),
    _Inception(256, 160, 320, 32, 128, 128),
)
_STAGE_5 = (_Inception(256, 160, 320, 32, 128, 128), _Inception(384, 192, 384, 48, 128, 128))


def googlenet(net: Builder) -> Tensor:
    """Build GoogLeNet."""
    x = _conv(net, net.image, 64, kernel=7, stride=2)
    x = net.max_pool(x, kernel=3, stride=2, ceil=True)
    x = _conv(net, x, 64, kernel=1)
    x = _conv(net, x, 192, kernel=3)
    x = net.max_pool(x, kernel=3, stride=2, ceil=True)
    for row in _STAGE_3:
        x = _inception(net, x, row)
    x = net.max_pool(x, kernel=3, stride=2, ceil=True)
    for row in _STAGE_4:
        x = _inception(net, x, row)
    x = net.max_pool(x, kernel=2, stride=2, ceil=True)
    for row in _STAGE_5:
        x = _inception(net, x, row)
    return net.dense(net.global_average_pool(x), 1000)


def _inception(net: Builder, x: Tensor, row: _Inception) -> Tensor:
    branch1 = _conv(net, x, row.conv1, kernel=1)
    branch3 = _conv(net, _conv(net, x, row.reduce3, kernel=1), row.conv3, kernel=3)
    # The paper has a 5x5 kernel here; torchvision's published weights have 3x3.
    branch5 = _conv(net, _conv(net, x, row.reduce5, kernel=1), row.conv5, kernel=3)
    pooled = net.max_pool(x, kernel=3, stride=1, padding=1)
    return net.concat([branch1, branch3, branch5, _conv(net, pooled, row.pool, kernel=1)])


def _conv(net: Builder, x: Tensor, channels: int, kernel: int, stride: int = 1) -> Tensor:
    return net.relu(net.conv_bn(x, channels, kernel, stride=stride, epsilon=1e-3))
