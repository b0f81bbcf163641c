"""The built-in networks by name."""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from onnx import ModelProto

from ncnn_peakmem.networks.alexnet import alexnet
from ncnn_peakmem.networks.builder import Builder, Tensor
from ncnn_peakmem.networks.densenet import densenet161
from ncnn_peakmem.networks.googlenet import googlenet
from ncnn_peakmem.networks.mobilenet import mobilenet_v1, mobilenet_v2
from ncnn_peakmem.networks.resnet import resnet18, resnet50
from ncnn_peakmem.networks.shufflenet import shufflenet_v2
from ncnn_peakmem.networks.vgg import vgg16

Topology = Callable[[Builder], Tensor]

NETWORKS: Mapping[str, Topology] = MappingProxyType(
    {
        "vgg16": vgg16,
        "alexnet": alexnet,
        "googlenet": googlenet,
        "resnet18": resnet18,
        "resnet50": resnet50,
        "densenet161": densenet161,
        "shufflenet_v2": shufflenet_v2,
        "mobilenet_v1": mobilenet_v1,
        "mobilenet_v2": mobilenet_v2,
    }
)


def build(name: str, seed: int = 0) -> ModelProto:
    """Build a network: `data` 1x3x224x224 float32 in, `output` 1x1000 float32 out, opset 17, no dropout.

    The same name and seed give the same bytes. Raises ValueError if there is no such network.
    """
    topology = _topology(name)
    net = Builder(name, seed)
    return net.model(topology(net))


def source_digest(name: str) -> str:
    """Give the sha256 (hex) of the source that `build(name)` runs: the builder's and the family's file."""
    files = (Path(inspect.getfile(part)) for part in (Builder, _topology(name)))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _topology(name: str) -> Topology:
    try:
        return NETWORKS[name]
    except KeyError:
        raise ValueError(f"unknown network {name!r}, expected one of: {', '.join(NETWORKS)}") from None
