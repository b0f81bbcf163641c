"""DenseNet (Huang et al. 2016, arXiv:1608.06993), bottlenecked and compressed (DenseNet-BC)."""

from ncnn_peakmem.networks.builder import Builder, Tensor


def densenet161(net: Builder) -> Tensor:
    """Build DenseNet-161."""
    return _densenet(net, growth=48, depths=(6, 12, 36, 24))


def _densenet(net: Builder, growth: int, depths: tuple[int, ...]) -> Tensor:
    x = net.relu(net.conv_bn(net.image, 2 * growth, kernel=7, stride=2))
    x = net.max_pool(x, kernel=3, stride=2, padding=1)
    for stage, depth in enumerate(depths):
        if stage > 0:
            x = _transition(net, x)
        x = _dense_block(net, x, growth, depth)
    x = net.relu(net.batch_norm(x))
    return net.dense(net.global_average_pool(x), 1000)


def _dense_block(net: Builder, x: Tensor, growth: int, depth: int) -> Tensor:
    features = [x]
    for _ in range(depth):
        x = net.conv(net.relu(net.batch_norm(x)), 4 * growth, kernel=1, bias=False)
        features.append(net.conv(net.relu(net.batch_norm(x)), growth, kernel=3, bias=False))
        x = net.concat(features)
    return x


def _transition(net: Builder, x: Tensor) -> Tensor:
    x = net.conv(net.relu(net.batch_norm(x)), x.channels // 2, kernel=1, bias=False)
    return net.average_pool(x, kernel=2, stride=2)
