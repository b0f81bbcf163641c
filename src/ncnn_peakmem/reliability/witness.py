"""What a real child under all controls is seen to do, by its parent, by the kernel and by itself."""

from __future__ import annotations

import marshal
from dataclasses import dataclass
from pathlib import Path

from ncnn_peakmem.measurement import Phase
from ncnn_peakmem.network import ModelFiles
from ncnn_peakmem.probe import Conditions, Job
from ncnn_peakmem.probe.controls import PAGE_GRANULAR_MALLOC
from ncnn_peakmem.probe.launcher import Child
from ncnn_peakmem.probe.process_status import cpus, randomised, reset_vm_hwm
from ncnn_peakmem.reliability.injection import standing_in
from ncnn_peakmem.runtimes import Runtime

BLOCKS, BLOCK_BYTES = 32, 64 * 1024
"""What the child takes in one phase, and gives back all but the last of in the next."""

# Modules are looked at before anything else is imported, and calls are tried when all else is seen: they make
# up for a control that was not applied. Default malloc keeps such blocks in its heap, and cannot return those
# that lie under one that is still held.
_TELLING = """
import sys
def uncompiled(module):
    spec = getattr(module, "__spec__", None)
    path = str(getattr(spec, "origin", ""))
    return path.endswith(".py") and not exists(getattr(spec, "cached", None) or "")

def exists(path):
    try:
        return bool(posix.stat(path))
    except OSError:
        return False

import posix
told = {{"uncompiled": sorted(n for n, m in sys.modules.items() if n != __name__ and uncompiled(m))}}
told["environment"] = sorted(name.decode() for name in posix.environ)

def tell():
    import ctypes, marshal
    libc = ctypes.CDLL(None, use_errno=True)
    told["personality"] = ctypes.get_errno() if libc.personality(0x0040000) == -1 else 0
    told["thp"] = ctypes.get_errno() if libc.prctl(41, 1, 0, 0, 0) == -1 else 0
    with open("told", "wb") as file:
        file.write(marshal.dumps(told))

class Net(real.Net):
    def load_param(self, path):
        code = super().load_param(path)
        self.blocks = [real.Mat({numbers}) for _ in range({blocks})]
        for block in self.blocks:
            block.fill(1.0)
        return code

    def load_model(self, source):
        code = super().load_model(source)
        del self.blocks[:-1]
        return code

    def create_extractor(self):
        tell()
        return super().create_extractor()
"""


@dataclass(frozen=True, slots=True)
class Witness:
    """A child as it was seen; errors are errno as the call left it in the child, 0 where it succeeded.

    `returned_bytes` is by how much its address space shrank when it gave back what it had taken.
    `hwm_left_bytes` is how far its resident high-water mark stood above what was resident after it was reset,
    or None where the reset was refused. `folder_characters` is the length of its working folder's path.
    """

    randomised: bool
    personality_error: int
    thp_enabled: bool
    thp_error: int
    pinned: bool
    returned_bytes: int
    hwm_left_bytes: int | None
    uncompiled: tuple[str, ...]
    environment: tuple[str, ...]
    folder_characters: int


def call(runtime: Runtime, model: ModelFiles, conditions: Conditions, folder: Path) -> Witness:
    """Start a child of `runtime` and watch it; `ProbeEnded` where it cannot do what it is told."""
    body = _TELLING.format(numbers=BLOCK_BYTES // 4, blocks=BLOCKS)
    job = Job(standing_in(runtime, body, folder), model, {})
    with Child(job, conditions, tunables=PAGE_GRANULAR_MALLOC) as child:
        child.command("import", Phase.IMPORT)
        child.command("load_param", Phase.LOAD_PARAM)
        full = child.status(Phase.LOAD_PARAM)
        child.command("load_model", Phase.LOAD_MODEL)
        emptied = child.status(Phase.LOAD_MODEL)
        reset = reset_vm_hwm(child.pid)
        after = child.status(Phase.LOAD_MODEL)
        at_random, pinned = randomised(child.pid), cpus(child.pid) == {conditions.cpu}
        child.command("prepare_input", Phase.FIRST)
        child.command("infer", Phase.FIRST)
        told = marshal.loads((child.folder / "told").read_bytes())  # noqa: S302 - from our own child
        return Witness(
            randomised=at_random,
            personality_error=told["personality"],
            thp_enabled=emptied.thp_enabled,
            thp_error=told["thp"],
            pinned=pinned,
            returned_bytes=full.vm_size - emptied.vm_size,
            hwm_left_bytes=after.vm_hwm - after.vm_rss if reset else None,
            uncompiled=tuple(told["uncompiled"]),
            environment=tuple(told["environment"]),
            folder_characters=len(str(child.folder.resolve())),
        )
