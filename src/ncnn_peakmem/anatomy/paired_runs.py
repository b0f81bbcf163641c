"""The two runs of a trace, laid side by side.

The one-shot run is what the heap gauge measures: its blocks are what is split. The stepped run tells which
layer took each of them, and what for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from ncnn_peakmem.anatomy.alignment import align
from ncnn_peakmem.anatomy.heap_block import HeapBlock, Place, heap_blocks
from ncnn_peakmem.anatomy.layer_title import title
from ncnn_peakmem.anatomy.loading import Loading, loading
from ncnn_peakmem.param_file import Layer
from ncnn_peakmem.probe.layer_events import Entered, Extracted, LayerTrace, Taken


class PairedRuns:
    """A trace's blocks, each of the one-shot run with its like in the stepped one, if it has any."""

    def __init__(self, trace: LayerTrace, layers: Sequence[Layer]) -> None:
        self.one_shot = trace.one_shot
        self.stepped = trace.stepped
        self.trouble = trace.trouble
        self.layers = layers
        self.blocks = heap_blocks(trace.one_shot)
        self.stepped_blocks = {block.taken: block for block in heap_blocks(trace.stepped)}
        self._like = align(self.blocks, tuple(self.stepped_blocks.values()))

    def like(self, block: HeapBlock) -> HeapBlock | None:
        """The stepped run's block that is the same as one of the one-shot run's."""
        taken = self._like.get(block.taken)
        return None if taken is None else self.stepped_blocks[taken]

    @cached_property
    def loading(self) -> Loading:
        """What the stepped run's blocks of loading are for; nothing where it did not get as far."""
        for number, stretch in enumerate(self.stepped):
            if stretch.command == "load_model":
                return loading(stretch, number, self.stepped_blocks.values(), self.layers)
        return Loading({})

    @cached_property
    def copies(self) -> Mapping[Place, int]:
        """The stepped run's copies of outputs, each with the layer that made the output."""
        found: dict[Place, int] = {}
        for number, stretch in enumerate(self.stepped):
            layer, there = None, False
            for index, event in enumerate(stretch.events):
                match event:
                    case Entered(entered):
                        layer, there = entered, False
                    case Extracted():
                        there = True
                    case Taken() if there and layer is not None:
                        found[number, index] = layer
        return found

    def moment(self, alive: Iterable[HeapBlock]) -> Place | None:
        """When the last of some blocks of the stepped run was taken, copies of outputs apart."""
        return max((block.taken for block in alive if block.taken not in self.copies), default=None)

    def layer_at(self, place: Place) -> int | None:
        """The layer that the stepped run was at, loading it or running it."""
        load = self.loading.loads.get(place)
        if load is not None:
            return load.layer
        number, index = place
        for event in reversed(self.stepped[number].events[:index]):
            match event:
                case Extracted():
                    return None
                case Entered(layer):
                    return layer
        return None

    def named(self, layer: int | None) -> tuple[str, str]:
        """A layer's name and title; two empty texts for none."""
        return ("", "") if layer is None else (self.layers[layer].name, title(self.layers[layer]))
