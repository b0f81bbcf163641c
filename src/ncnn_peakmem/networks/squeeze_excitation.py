"""Squeeze and excitation (Hu et al. 2017, arXiv:1709.01507): a gate for each channel, told from all means."""

from collections.abc import Callable

from ncnn_peakmem.networks.builder import Builder, Tensor

Activation = Callable[[Tensor], Tensor]


def excited(net: Builder, x: Tensor, squeezed: int, activation: Activation, gate: Activation) -> Tensor:
    """Multiply each channel by its gate, which `squeezed` channels between two convolutions tell."""
    means = activation(net.conv(net.channel_means(x), squeezed, kernel=1))
    return net.multiply(x, gate(net.conv(means, x.channels, kernel=1)))
