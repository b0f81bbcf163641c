"""One layer, to be tried alone."""

from __future__ import annotations

from dataclasses import dataclass

from ncnn_peakmem import param_file
from ncnn_peakmem.graph import Graph, build
from ncnn_peakmem.network import InputBlob, Shape


@dataclass(frozen=True)
class Sample:
    """One layer, to be tried on inputs of these shapes; ncnn reads its weights as zeros."""

    inputs: str
    type: str
    params: str = ""
    tops: int = 1

    @property
    def shapes(self) -> list[Shape]:
        return [tuple(map(int, shape.split("x"))) for shape in self.inputs.split()]

    def param(self) -> str:
        given = [f"in{number}" for number in range(len(self.shapes))]
        lines = [f"Input {name} 0 1 {name}" for name in given]
        tops = [f"out{number}" for number in range(self.tops)]
        lines.append(" ".join([self.type, "tried", f"{len(given)} {self.tops}", *given, *tops, self.params]))
        return "\n".join(["7767517", f"{len(lines)} {len(given) + self.tops}", *lines, ""])

    def graph(self) -> Graph:
        blobs = [InputBlob(f"in{number}", shape) for number, shape in enumerate(self.shapes)]
        return build(param_file.parse(self.param()), blobs)
