"""A square window that slides over the spatial axes."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Window:
    """Kernel, stride and padding, each as one number; with `ceil` a last, partly filled window counts too."""

    kernel: int
    stride: int
    padding: int = 0
    ceil: bool = False

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of a node that has such a window."""
        return {"kernel_shape": [self.kernel] * 2, "strides": [self.stride] * 2, "pads": [self.padding] * 4}

    def counts(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """How often it fits into each of `sizes`."""
        rounded = math.ceil if self.ceil else math.floor
        return tuple(rounded((size + 2 * self.padding - self.kernel) / self.stride) + 1 for size in sizes)
