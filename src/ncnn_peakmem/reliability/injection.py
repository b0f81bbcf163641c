"""Growth made on purpose: a ncnn that wraps a real one and holds more than it, from a phase on."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ncnn_peakmem import whole_file
from ncnn_peakmem.measurement import Phase
from ncnn_peakmem.runtimes import Runtime

# What stands in loads the real module the way a probe's child does, and imports nothing besides: its floor is
# still not the bare extension's, for the child has to compile it.
_WRAPPING = """\
import _frozen_importlib, _frozen_importlib_external
path = {module!r}
loaders = _frozen_importlib_external
loader = loaders.SourceFileLoader if path.endswith(".py") else loaders.ExtensionFileLoader
spec = _frozen_importlib.ModuleSpec("ncnn", loader("ncnn", path), origin=path)
real = _frozen_importlib.module_from_spec(spec)
spec.loader.exec_module(real)
globals().update({{name: thing for name, thing in vars(real).items() if name != "real" and name[:2] != "__"}})
__version__ = {version!r}
"""

# Phase and size take the same room in every stand-in, so that nothing but what is held tells two apart.
_HOLDING = """
PHASE = "{phase:<10}".strip()
BYTES = 0x{size_bytes:012x}
kept = []

def hold(phase, holder):
    # A pooled Mat would go back to its pool: this one is the holder's own.
    if phase == PHASE and BYTES:
        holder.append(real.Mat((BYTES + 3) // 4))
        holder[-1].fill(1.0)

class Net(real.Net):
    def __init__(self):
        super().__init__()
        self.extractors, self.held = 0, []

    def load_param(self, path):
        code = super().load_param(path)
        hold("load_param", self.held)
        return code

    def load_model(self, source):
        code = super().load_model(source)
        hold("load_model", self.held)
        return code

    def create_extractor(self):
        self.extractors += 1
        if self.extractors <= 2:
            hold(("first", "steady")[self.extractors - 1], self.held)
        return super().create_extractor()

    def clear(self):
        hold("unload", kept)
        self.held.clear()
        super().clear()

hold("import", kept)
"""


def holding(runtime: Runtime, phase: Phase | None, size_bytes: int, folder: Path) -> Runtime:
    """A build that does all as `runtime` does, and holds a buffer of `size_bytes` more from `phase` on.

    The buffer is a `Mat` of its own, written all over, for which ncnn asks some 70 bytes more. It is given
    back in `unload`, save one taken in `import` or `unload`, which is kept for good. Without a phase or a
    size it is the control, the build to compare with: its floor is that of the others, and higher than the
    bare one's. It is written under `folder`, where those of many sizes, phases and runtimes may lie side by
    side, and it is not tried out: thousands cost no more than their files.
    """
    return standing_in(runtime, _HOLDING.format(phase=phase or "", size_bytes=size_bytes), folder)


def standing_in(runtime: Runtime, body: str, folder: Path) -> Runtime:
    """A build under `folder` that has all of `runtime`'s module and then runs `body`.

    In `body`, Python source, the module wrapped is `real`.
    """
    source = _WRAPPING.format(module=str(runtime.module.absolute()), version=runtime.version) + body
    package = folder / hashlib.sha256(source.encode()).hexdigest()[:16] / "ncnn"
    module = package / "ncnn.py"
    if not module.exists() or module.read_text() != source:
        package.mkdir(parents=True, exist_ok=True)
        whole_file.write(module, source.encode())
    return Runtime(runtime.version, module, runtime.origin)
