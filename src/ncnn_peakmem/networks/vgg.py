"""VGG (Simonyan & Zisserman 2014, arXiv:1409.1556), configuration D, without batch normalization."""

from ncnn_peakmem.networks.builder import Builder, Tensor

# (convolutions, channels), each stage closed by a 2x2 max pool
_VGG16 = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))


def vgg16(net: Builder) -> Tensor:
    """Build VGG16."""
    x = net.image
    for depth, channels in _VGG16:
        for _ in range(depth):
            x = net.relu(net.conv(x, channels, kernel=3))
        x = net.max_pool(x, kernel=2, stride=2)
    # torchvision's adaptive pool to 7x7 has nothing to do on a 224x224 image.
    x = net.flatten(x)
    for _ in range(2):
        x = net.relu(net.dense(x, 4096))
    return net.dense(x, 1000)
