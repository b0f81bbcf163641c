"""What was quantized, and how."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Report:
    """The names of layers, in the order of the network, by what became of them.

    `quantized` have int8 weights; of these `requantized` hand on integers. `left` could have been quantized,
    and stayed float because a table leaves them out. `inputs` is how many the scales were told from.
    """

    quantized: tuple[str, ...]
    requantized: tuple[str, ...]
    left: tuple[str, ...]
    inputs: int

    def to_json(self) -> str:
        """As JSON, one object."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Report:
        """Read back what `to_json` wrote."""
        read: dict[str, Any] = json.loads(text)
        inputs: int = read.pop("inputs")
        return cls(**{key: tuple(names) for key, names in read.items()}, inputs=inputs)
