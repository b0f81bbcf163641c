"""Does a network fit a device? The devices are those of the table in MCUNet's paper (Lin et al., 2020)."""

from __future__ import annotations

from dataclasses import dataclass

from ncnn_peakmem.accounting.conventions import Convention, storage
from ncnn_peakmem.graph.graph import Graph

_KIB, _MIB, _GIB = 2**10, 2**20, 2**30


@dataclass(frozen=True, slots=True)
class Device:
    """What a device offers, in bytes; a storage of None is more than any network needs.

    Where `weights_in_flash`, they are read from storage while the network runs; memory has the blobs only.
    """

    name: str
    memory: int
    storage: int | None
    weights_in_flash: bool = False


@dataclass(frozen=True, slots=True)
class Fit:
    """What a network needs of a device, in bytes, and whether the device has that much."""

    device: Device
    memory: int
    storage: int

    @property
    def in_memory(self) -> bool:
        """Whether memory suffices."""
        return self.memory <= self.device.memory

    @property
    def in_storage(self) -> bool:
        """Whether storage suffices."""
        return self.device.storage is None or self.storage <= self.device.storage

    @property
    def fits(self) -> bool:
        """Whether both do."""
        return self.in_memory and self.in_storage


DEVICES = (
    Device("V100", memory=16 * _GIB, storage=None),
    Device("iPhone 11", memory=4 * _GIB, storage=64 * _GIB),
    Device("STM32F746", memory=320 * _KIB, storage=1 * _MIB, weights_in_flash=True),
)
"""A server's accelerator, a phone, and a microcontroller."""


def fit(device: Device, graph: Graph, convention: Convention, bytes_per_element: int) -> Fit:
    """Hold a network against a device; weights count where the device keeps them."""
    weights = storage(graph, bytes_per_element)
    memory = convention.count(graph, bytes_per_element)
    if not (device.weights_in_flash or convention.has_weights):
        memory += weights
    return Fit(device, memory, weights)
