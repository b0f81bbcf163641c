"""What was quantized, and how."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter


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
        """Read back what `to_json` wrote; `pydantic.ValidationError` where the text is something else."""
        return TypeAdapter(cls).validate_json(text)
