"""Which layers grew between two attributions of one network, and what of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ncnn_peakmem.anatomy.part import Kind, Split


@dataclass(frozen=True, slots=True)
class Growth:
    """How much more a layer has of a kind; less, where `bytes` is negative."""

    layer: str
    title: str
    kind: Kind
    bytes: int

    @property
    def where(self) -> str:
        """Such as `conv 1x1 1024->1024 (convrelu_13)`."""
        return f"{self.title} ({self.layer})" if self.layer else "no layer"


def difference(new: Split, old: Split) -> tuple[Growth, ...]:
    """What moved between two peaks, the largest growth first, what shrank most last; they sum to the change.

    Give the `peak`s of two attributions, or their `load`s.
    """
    titles = {part.layer: part.title for split in (old, new) for part in split.parts}
    moved: Counter[tuple[str, Kind]] = Counter()
    for part in new.parts:
        moved[part.layer, part.kind] += part.bytes
    for part in old.parts:
        moved[part.layer, part.kind] -= part.bytes
    return tuple(
        Growth(layer, titles[layer], kind, size)
        for (layer, kind), size in sorted(moved.items(), key=lambda item: -item[1])
        if size
    )
