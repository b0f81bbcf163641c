"""What the size of ncnn's allocations depends on besides the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from packaging.version import Version

from ncnn_peakmem.machine import MachineClass

# Since these releases the pipeline of a layer is made when its weights are read, not when those of all layers
# are; and blobs of one or two axes end on a multiple of 16 bytes, as channels do (Mat::create).
_LAYER_BY_LAYER = Version("1.0.20231027")
_FLAT_ALIGNED = Version("1.0.20250916")

_LANES = {"avx512": 16, "fma": 8, "avx": 8}


@dataclass(frozen=True, slots=True)
class Setting:
    """A ncnn release on a class of machines under options; flags that are not named are as ncnn has them."""

    machine: MachineClass
    release: Version
    flags: Mapping[str, bool] = field(default_factory=dict)
    threads: int = 1

    def flag(self, name: str) -> bool:
        """A flag of `ncnn.Net().opt`: of those that matter here only bf16 storage is off by itself."""
        return self.flags.get(name, name != "use_bf16_storage")

    @property
    def light(self) -> bool:
        """Whether ncnn's light mode is on."""
        return self.flag("lightmode")

    @property
    def half_weights(self) -> bool:
        """Whether fully connected layers keep their weights in half precision."""
        if self.machine.architecture == "x86_64":
            return self.flag("use_fp16_storage") and "f16c" in self.machine.isa
        return self.flag("use_fp16_storage") and "asimdhp" in self.machine.isa

    @property
    def lanes(self) -> int:
        """How many numbers of 4 bytes a vector register holds."""
        return max((_LANES.get(feature, 4) for feature in self.machine.isa), default=4)

    @property
    def layer_by_layer(self) -> bool:
        """Whether each layer packs its weights before the next one reads its own."""
        return self.release >= _LAYER_BY_LAYER

    @property
    def flat_unit(self) -> int:
        """Of how many bytes a blob of one or two axes is a multiple."""
        return 16 if self.release >= _FLAT_ALIGNED else 4
