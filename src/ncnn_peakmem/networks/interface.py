"""The ends of the built-in networks: what goes in, and how a single output is called."""

from dataclasses import dataclass

INPUT_NAME = "data"
INPUT_SHAPE = (1, 3, 224, 224)
OUTPUT_NAME = "output"


@dataclass(frozen=True, slots=True)
class Input:
    """A named float32 input with its shape, batch first."""

    name: str = INPUT_NAME
    shape: tuple[int, ...] = INPUT_SHAPE
