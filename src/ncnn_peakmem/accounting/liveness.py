"""What is alive, layer by layer, as ncnn's light mode lets blobs go. On paper: numbers times their bytes."""

from __future__ import annotations

from dataclasses import dataclass

from ncnn_peakmem.graph.graph import Graph, Makes, Node


@dataclass(frozen=True, slots=True)
class Moment:
    """What is alive around one layer, in bytes: while it runs, and after it has let go of what it read."""

    layer: str
    running: int
    after: int


def moments(graph: Graph, bytes_per_element: int) -> tuple[Moment, ...]:
    """What is alive around each layer in ncnn's light mode (`do_forward_layer` in src/net.cpp).

    A blob is let go once its reader has run; results stay. Split and its like hand on the bytes they read.
    Layers that support it write over their bottom, or, while another blob still names its bytes, over a copy.
    """
    return _Liveness(graph, bytes_per_element).moments()


class _Liveness:
    """Blobs as names of pieces of memory, each freed with its last name."""

    def __init__(self, graph: Graph, bytes_per_element: int) -> None:
        self._graph = graph
        self._bytes = bytes_per_element
        self._readers = {blob: len(graph.consumers(blob)) + (blob in graph.outputs) for blob in graph.shapes}
        self._piece = {blob: blob for blob in graph.inputs}
        self._live = sum(map(self._size, graph.inputs))

    def moments(self) -> tuple[Moment, ...]:
        return tuple(self._run(node) for node in self._graph.nodes)

    def _run(self, node: Node) -> Moment:
        match node.makes:
            case Makes.NEW:
                self._make(node.tops)
            case Makes.SAME:
                self._piece.update((top, self._piece[node.bottoms[0]]) for top in node.tops)
            case Makes.IN_PLACE:
                self._write_over(node)
        running = self._live
        for blob in dict.fromkeys(node.bottoms):
            self._readers[blob] -= 1
            if not self._readers[blob]:
                self._let_go(blob)
        return Moment(node.name, running, self._live)

    def _write_over(self, node: Node) -> None:
        for bottom, top in zip(node.bottoms, node.tops, strict=False):
            names = [blob for blob, piece in self._piece.items() if piece == self._piece[bottom]]
            if len(names) > 1 or self._readers[bottom] > 1:
                self._make((top,))
            else:
                self._piece[top] = self._piece[bottom]

    def _make(self, blobs: tuple[str, ...]) -> None:
        self._piece.update((blob, blob) for blob in blobs)
        self._live += sum(map(self._size, blobs))

    def _let_go(self, blob: str) -> None:
        piece = self._piece.pop(blob)
        if piece not in self._piece.values():
            self._live -= self._size(piece)

    def _size(self, blob: str) -> int:
        return self._graph.elements(blob) * self._bytes
