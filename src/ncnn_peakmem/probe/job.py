"""What one child is told to do."""

from __future__ import annotations

import importlib.util
import marshal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ncnn_peakmem.network import ModelFiles
from ncnn_peakmem.runtimes import Runtime


@dataclass(frozen=True, slots=True)
class Job:
    """A model to run on a runtime, with the `ncnn.Net().opt` flags to set before it is loaded."""

    runtime: Runtime
    model: ModelFiles
    flags: Mapping[str, bool]
    threads: int = 1

    def message(self, trace: Path | None = None) -> bytes:
        """The job as the child reads it; with `trace`, the child records its allocations there."""
        body = marshal.dumps(
            {
                "module": str(self.runtime.module),
                "options": [*sorted(self.flags.items()), ("num_threads", self.threads)],
                "param": str(self.model.param),
                "bin": str(self.model.bin) if self.model.bin else "",
                # ncnn counts dimensions from the innermost: Mat(w, h, c).
                "inputs": [(blob.name, tuple(reversed(blob.shape))) for blob in self.model.inputs],
                "outputs": list(self.model.outputs),
                "trace": str(trace) if trace else "",
                "search": [str(_site_of("memray"))] if trace else [],
            }
        )
        return len(body).to_bytes(4, "little") + body


def _site_of(package: str) -> Path:
    """The folder to search for a package of this environment, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed here: `pip install {package}`", name=package)
    return Path(spec.origin).parent.parent
