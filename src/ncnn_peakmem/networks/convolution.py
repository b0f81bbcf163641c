"""Convolutions, and what goes with them: normalization and pooling."""

import numpy as np

from ncnn_peakmem.networks.arrangement import Arrangements
from ncnn_peakmem.networks.draft import Tensor
from ncnn_peakmem.networks.window import Window


class Convolutions(Arrangements):
    """Operations over channels and two spatial axes. Kernels, strides and paddings are square: one number."""

    def conv(
        self,
        x: Tensor,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        bias: bool = True,
    ) -> Tensor:
        """Convolve to `channels`; without `padding` an odd kernel keeps the size at stride 1."""
        window = Window(kernel, stride, kernel // 2 if padding is None else padding)
        parameters = {"weight": self.weight(channels, x.channels // groups, kernel, kernel)}
        if bias:
            parameters["bias"] = self.near(0.0, channels)
        shape = (x.shape[0], channels, *window.counts(x.shape[2:]))
        return self.node("Conv", [x], shape, parameters, group=groups, **window.attributes)

    def transposed_conv(self, x: Tensor, channels: int, kernel: int) -> Tensor:
        """Let each pixel paint a square of `kernel` beside its neighbours': sizes grow by that factor."""
        # A result has one term for each input channel, and no more: the squares do not overlap.
        weight = self.weight(channels, x.channels, kernel, kernel, gain=2.0 * kernel**2).swapaxes(0, 1)
        parameters = {"weight": np.ascontiguousarray(weight), "bias": self.near(0.0, channels)}
        shape = (x.shape[0], channels, *(kernel * size for size in x.shape[2:]))
        return self.node("ConvTranspose", [x], shape, parameters, **Window(kernel, kernel).attributes)

    def batch_norm(self, x: Tensor, *, gamma: float = 1.0, epsilon: float = 1e-5) -> Tensor:
        """Normalize with fixed statistics: scale near `gamma`, shift and mean near 0, variance near 1."""
        centres = {"weight": gamma, "bias": 0.0, "mean": 0.0, "var": 1.0}
        parameters = {role: self.near(centre, x.channels) for role, centre in centres.items()}
        return self.node("BatchNormalization", [x], x.shape, parameters, epsilon=epsilon)

    def conv_bn(
        self,
        x: Tensor,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        gamma: float = 1.0,
        epsilon: float = 1e-5,
    ) -> Tensor:
        """Convolve without bias, then normalize."""
        x = self.conv(x, channels, kernel, stride=stride, groups=groups, bias=False)
        return self.batch_norm(x, gamma=gamma, epsilon=epsilon)

    def max_pool(
        self, x: Tensor, kernel: int, stride: int, *, padding: int = 0, ceil: bool = False
    ) -> Tensor:
        """Take each window's maximum; with `ceil` a last, partly filled window counts too."""
        window = Window(kernel, stride, padding, ceil)
        shape = (*x.shape[:2], *window.counts(x.shape[2:]))
        return self.node("MaxPool", [x], shape, ceil_mode=int(ceil), **window.attributes)

    def average_pool(self, x: Tensor, kernel: int, stride: int) -> Tensor:
        """Take each window's mean, without padding."""
        window = Window(kernel, stride)
        shape = (*x.shape[:2], *window.counts(x.shape[2:]))
        return self.node("AveragePool", [x], shape, **window.attributes)

    def channel_means(self, x: Tensor) -> Tensor:
        """Take each channel's mean; both spatial axes stay, with size 1."""
        return self.node("GlobalAveragePool", [x], (*x.shape[:2], 1, 1))

    def global_average_pool(self, x: Tensor) -> Tensor:
        """Take each channel's mean and drop the spatial axes."""
        return self.flatten(self.channel_means(x))
