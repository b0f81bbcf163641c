"""Whether a case can fit into this machine at all: told before the kernel has to kill anything."""

from __future__ import annotations

from dataclasses import dataclass

from ncnn_peakmem.accounting.conventions import all_blobs, storage
from ncnn_peakmem.case import Case
from ncnn_peakmem.forecast import LearnedError, NotForecast, Room, Setting, admits, predict, room
from ncnn_peakmem.graph import GraphError, read
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.network import Loops, ModelFiles
from ncnn_peakmem.param_file import ParamFileError
from ncnn_peakmem.runtimes import Runtime

# No network of ours takes more than 6 times what is on paper; a forecast takes longer than a sum.
_FAR_BEYOND = 16
_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Admission:
    """Refuses cases whose forecast is far above what the machine has left, or above `limit_bytes`."""

    machine: MachineClass
    limit_bytes: int | None = None

    def __call__(self, runtime: Runtime, case: Case, model: ModelFiles, loops: Loops) -> str:
        """Empty, or why the case cannot fit. What cannot be forecast is for ncnn to decide."""
        has = self._room()
        try:
            graph = read(model)
            paper = storage(graph, _FLOAT_BYTES) + all_blobs(graph, _FLOAT_BYTES)
            if has is None or _FAR_BEYOND * paper <= has.bytes:
                return ""
            setting = Setting(self.machine, runtime.release, case.flags, case.threads)
            return admits(predict(model, setting, loops), has)
        except (GraphError, LearnedError, NotForecast, ParamFileError):
            return ""

    def _room(self) -> Room | None:
        has = room()
        if self.limit_bytes is None:
            return has
        limit = Room(self.limit_bytes, "the limit that was set")
        return limit if has is None or limit.bytes < has.bytes else has
