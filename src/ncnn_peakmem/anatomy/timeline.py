"""One inference, layer by layer: what each reads, makes, needs, and leaves behind."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ncnn_peakmem.anatomy.layer_title import title
from ncnn_peakmem.anatomy.paired_runs import PairedRuns
from ncnn_peakmem.graph import weights
from ncnn_peakmem.network import InputBlob, Shape
from ncnn_peakmem.param_file import Layer
from ncnn_peakmem.probe.layer_events import (
    Asked,
    BlobSize,
    Entered,
    Event,
    Extracted,
    Freed,
    GivenBack,
    Pool,
    Stretch,
    Taken,
)

_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A layer that ran, in bytes.

    `input` and `output` are its blobs' without padding; `stored` is its weights without bias as 4-byte
    numbers, `weights` all that it keeps loaded; `workspace` is the most that it had at one moment.
    `live_after` is what is asked for and not given back once it has run, all weights and the input included;
    `held_after` is what malloc has given for that, and `running_peak` the most of it so far.
    """

    layer: str
    title: str
    shape: Shape
    input: int
    output: int
    stored: int
    weights: int
    workspace: int
    live_after: int
    held_after: int
    running_peak: int

    @property
    def where(self) -> str:
        """Such as `conv 1x1 1024->1024 (convrelu_13)`."""
        return f"{self.title} ({self.layer})"

    @property
    def on_paper(self) -> int:
        """Input, output and weights, as one would count them by hand."""
        return self.input + self.output + self.stored


def timeline(
    runs: PairedRuns, loop: int, sizes: Mapping[int, tuple[BlobSize, ...]], inputs: Sequence[InputBlob]
) -> tuple[LayerRow, ...]:
    """The layers of inference number `loop` of the stepped run, in the order in which they ran."""
    number = next(
        (number for number, stretch in enumerate(runs.stepped) if stretch.loop == loop), len(runs.stepped)
    )
    if number == len(runs.stepped):
        return ()
    blobs = _blob_bytes(runs.layers, sizes, inputs)
    kept = _kept(runs, number)
    return tuple(
        LayerRow(
            layer=runs.layers[step.layer].name,
            title=title(runs.layers[step.layer]),
            shape=sizes[step.layer][0].shape,
            input=sum(blobs.get(blob, 0) for blob in runs.layers[step.layer].bottoms),
            output=_output(runs.layers[step.layer], sizes[step.layer]),
            stored=_FLOAT_BYTES * _stored(runs.layers[step.layer]),
            weights=kept.get(step.layer, 0),
            workspace=step.workspace,
            live_after=step.live,
            held_after=step.held,
            running_peak=step.peak,
        )
        for step in _steps(runs.stepped, number)
        if step.layer in sizes
    )


@dataclass(frozen=True, slots=True)
class _Step:
    layer: int
    workspace: int
    live: int
    held: int
    peak: int


class _Books:
    """What is held and asked for, kept up event by event."""

    def __init__(self) -> None:
        self.held = self.peak = self.idle = self.workspace = self.most_workspace = 0
        self._sizes: dict[int, int] = {}
        self._free: dict[int, int] = {}
        self._asked: dict[int, Asked] = {}

    def enter(self, event: Event) -> None:
        match event:
            case Taken(address, size):
                self._sizes[address] = size
                self.held += size
                self.peak = max(self.peak, self.held)
            case Freed(address):
                self.held -= self._sizes.pop(address, 0)
                self.idle -= self._free.pop(address, 0)
            case Asked(pool, _, address, size):
                self.idle -= self._free.pop(address, 0)
                self._rest(address, self._sizes.get(address, size) - size)
                self._asked[address] = event
                self.workspace += size if pool is Pool.WORKSPACE else 0
            case GivenBack(pool, address) if address in self._asked:
                asked = self._asked.pop(address)
                self.idle -= self._free.pop(address, 0)
                self._rest(address, self._sizes.get(address, asked.size))
                self.workspace -= asked.size if pool is Pool.WORKSPACE else 0
        self.most_workspace = max(self.most_workspace, self.workspace)

    def _rest(self, address: int, size: int) -> None:
        self._free[address] = size
        self.idle += size


def _steps(stretches: Sequence[Stretch], number: int) -> Iterator[_Step]:
    books = _Books()
    for stretch in stretches[:number]:
        for event in stretch.events:
            books.enter(event)
    layer: int | None = None
    for event in stretches[number].events:
        if isinstance(event, Entered | Extracted):
            if layer is not None:
                yield _Step(layer, books.most_workspace, books.held - books.idle, books.held, books.peak)
            layer = event.layer if isinstance(event, Entered) else None
            books.most_workspace = books.workspace
        books.enter(event)


def _blob_bytes(
    layers: Sequence[Layer], sizes: Mapping[int, tuple[BlobSize, ...]], inputs: Sequence[InputBlob]
) -> dict[str, int]:
    made = {
        top: size.bytes
        for number, of_layer in sizes.items()
        for top, size in zip(layers[number].tops, of_layer, strict=False)
    }
    given = {blob.name: _FLOAT_BYTES * math.prod(blob.shape) for blob in inputs}
    return given | made


def _output(layer: Layer, sizes: Sequence[BlobSize]) -> int:
    """What a layer makes. Split hands on one blob under several names."""
    return sizes[0].bytes if layer.type == "Split" else sum(size.bytes for size in sizes)


def _kept(runs: PairedRuns, number: int) -> dict[int, int]:
    """What loading has left of each layer's when inference begins."""
    kept: dict[int, int] = {}
    for taken, load in runs.loading.loads.items():
        block = runs.stepped_blocks[taken]
        if block.alive((number, 0)):
            kept[load.layer] = kept.get(load.layer, 0) + block.size
    return kept


def _stored(layer: Layer) -> int:
    try:
        return weights.count(layer).weights
    except TypeError:
        return 0
