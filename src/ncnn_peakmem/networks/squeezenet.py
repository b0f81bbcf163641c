"""SqueezeNet (Iandola et al. 2016, arXiv:1602.07360) in its authors' version 1.1."""

from ncnn_peakmem.networks.builder import Builder, Tensor

# (squeezed, expanded) channels of the fire modules between two pools
_STAGES = (
    ((16, 64), (16, 64)),
    ((32, 128), (32, 128)),
    ((48, 192), (48, 192), (64, 256), (64, 256)),
)


def squeezenet_1_1(net: Builder) -> Tensor:
    """Build SqueezeNet 1.1."""
    x = net.relu(net.conv(net.image, 64, kernel=3, stride=2, padding=0))
    for stage in _STAGES:
        x = net.max_pool(x, kernel=3, stride=2, ceil=True)
        for squeezed, expanded in stage:
            x = _fire(net, x, squeezed, expanded)
    return net.global_average_pool(net.relu(net.conv(x, 1000, kernel=1)))


def _fire(net: Builder, x: Tensor, squeezed: int, expanded: int) -> Tensor:
    x = net.relu(net.conv(x, squeezed, kernel=1))
    return net.concat([net.relu(net.conv(x, expanded, kernel)) for kernel in (1, 3)])
