"""ResNet (He et al. 2015, arXiv:1512.03385), with torchvision's stride in the bottleneck's 3x3."""

from collections.abc import Callable

from ncnn_peakmem.networks.builder import Builder, Tensor

_Branch = Callable[[Builder, Tensor, int, int], Tensor]

# Of the last normalization of a branch: at 1 the sum with the shortcut would double its variance every block.
_LAST_GAMMA = 0.25


def resnet18(net: Builder) -> Tensor:
    """Build ResNet-18."""
    return _resnet(net, _basic, depths=(2, 2, 2, 2))


def resnet50(net: Builder) -> Tensor:
    """Build ResNet-50."""
    return _resnet(net, _bottleneck, depths=(3, 4, 6, 3))


def _resnet(net: Builder, branch: _Branch, depths: tuple[int, int, int, int]) -> Tensor:
    x = net.relu(net.conv_bn(net.image, 64, kernel=7, stride=2))
    x = net.max_pool(x, kernel=3, stride=2, padding=1)
    for depth, width, stride in zip(depths, (64, 128, 256, 512), (1, 2, 2, 2), strict=True):
        for block in range(depth):
            x = _residual(net, x, branch, width, stride if block == 0 else 1)
    return net.dense(net.global_average_pool(x), 1000)


def _residual(net: Builder, x: Tensor, branch: _Branch, width: int, stride: int) -> Tensor:
    y = branch(net, x, width, stride)
    shortcut = x if x.shape == y.shape else net.conv_bn(x, y.channels, kernel=1, stride=stride)
    return net.relu(net.add(y, shortcut))


def _basic(net: Builder, x: Tensor, width: int, stride: int) -> Tensor:
    x = net.relu(net.conv_bn(x, width, kernel=3, stride=stride))
    return net.conv_bn(x, width, kernel=3, gamma=_LAST_GAMMA)


def _bottleneck(net: Builder, x: Tensor, width: int, stride: int) -> Tensor:
    x = net.relu(net.conv_bn(x, width, kernel=1))
    x = net.relu(net.conv_bn(x, width, kernel=3, stride=stride))
    return net.conv_bn(x, 4 * width, kernel=1, gamma=_LAST_GAMMA)
