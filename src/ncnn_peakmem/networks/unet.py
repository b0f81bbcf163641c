"""U-Net (Ronneberger et al. 2015, arXiv:1505.04597), padded and batch-normalized as it is built today."""

from ncnn_peakmem.networks.builder import Builder, Tensor

_WIDTHS = (64, 128, 256, 512)
_CLASSES = 2


def unet(net: Builder) -> Tensor:
    """Build U-Net with its original widths; each side of the image must be a multiple of 16."""
    x, skips = net.image, []
    for width in _WIDTHS:
        skips.append(_twice(net, x, width))
        x = net.max_pool(skips[-1], kernel=2, stride=2)
    x = _twice(net, x, 1024)
    for skip in reversed(skips):
        x = _twice(net, net.concat([skip, net.transposed_conv(x, skip.channels, kernel=2)]), skip.channels)
    return net.conv(x, _CLASSES, kernel=1)


def _twice(net: Builder, x: Tensor, channels: int) -> Tensor:
    for _ in range(2):
        x = net.relu(net.conv_bn(x, channels, kernel=3))
    return x
