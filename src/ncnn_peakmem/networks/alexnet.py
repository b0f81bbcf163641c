"""AlexNet in one column (Krizhevsky 2014, arXiv:1404.5997)."""

from ncnn_peakmem.networks.builder import Builder, Tensor


def alexnet(net: Builder) -> Tensor:
    """Build AlexNet."""
    x = net.relu(net.conv(net.image, 64, kernel=11, stride=4, padding=2))
    x = net.max_pool(x, kernel=3, stride=2)
    x = net.relu(net.conv(x, 192, kernel=5))
    x = net.max_pool(x, kernel=3, stride=2)
    for channels in (384, 256, 256):
        x = net.relu(net.conv(x, channels, kernel=3))
    x = net.max_pool(x, kernel=3, stride=2)
    # torchvision's adaptive pool to 6x6 has nothing to do on a 224x224 image.
    x = net.flatten(x)
    for _ in range(2):
        x = net.relu(net.dense(x, 4096))
    return net.dense(x, 1000)
