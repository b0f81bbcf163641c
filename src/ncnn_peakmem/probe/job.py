"""What one child is told to do."""

from __future__ import annotations

import importlib.util
import marshal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ncnn_peakmem.network import ModelFiles
from ncnn_peakmem.runtimes import Runtime

TRACE = "trace"
"""The recording that a traced child leaves in its folder."""

_RECORDER = Path(__file__).with_name("recorder")
_PACKAGE, _PARAM, _BIN = "ncnn", "net.param", "net.bin"


@dataclass(frozen=True, slots=True)
class Job:
    """A model to run on a runtime, with the `ncnn.Net().opt` flags to set before it is loaded."""

    runtime: Runtime
    model: ModelFiles
    flags: Mapping[str, bool]
    threads: int = 1

    def lay(self, folder: Path) -> None:
        """Link what the child needs into the folder it works in.

        It knows files by these names alone: longer paths would take more of its memory, and move a page.
        """
        (folder / _PACKAGE).symlink_to(self.runtime.module.parent.absolute())
        (folder / _PARAM).symlink_to(self.model.param.absolute())
        if self.model.bin is not None:
            (folder / _BIN).symlink_to(self.model.bin.absolute())

    def message(self, *, traced: bool = False) -> bytes:
        """The job as the child reads it; a traced child records its allocations in `TRACE`."""
        body = marshal.dumps(
            {
                "module": f"{_PACKAGE}/{self.runtime.module.name}",
                "options": [*sorted(self.flags.items()), ("num_threads", self.threads)],
                "param": _PARAM,
                "bin": _BIN if self.model.bin is not None else "",
                # ncnn counts dimensions from the innermost: Mat(w, h, c).
                "inputs": [(blob.name, tuple(reversed(blob.shape))) for blob in self.model.inputs],
                "outputs": list(self.model.outputs),
                "trace": TRACE if traced else "",
                "search": [str(_RECORDER), str(_site_of("memray"))] if traced else [],
            }
        )
        return len(body).to_bytes(4, "little") + body


def _site_of(package: str) -> Path:
    """The folder to search for a package of this environment, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed here: `pip install {package}`", name=package)
    return Path(spec.origin).parent.parent
