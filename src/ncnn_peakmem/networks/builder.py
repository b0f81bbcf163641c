"""The builder: a draft with all operations that the built-in networks are made of."""

from ncnn_peakmem.networks.activation import Activations
from ncnn_peakmem.networks.arithmetic import Arithmetic
from ncnn_peakmem.networks.convolution import Convolutions
from ncnn_peakmem.networks.draft import Tensor

__all__ = ["Builder", "Tensor"]


class Builder(Convolutions, Activations, Arithmetic):
    """Lays out a network; what only one family needs is emitted there, with `node`, `weight` and `near`."""
