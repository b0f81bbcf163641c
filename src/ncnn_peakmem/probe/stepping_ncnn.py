"""Stands before ncnn in a traced child: the first network runs as ever, the second one layer by layer.

The child takes this file for its module `ncnn` and does with it what it always does; `layer_trace` gives the
commands, and reads what is left here. Of the second network it is logged which layer's weights have just been
packed (by a layer of our own after each layer of the `.param`), which layer is about to run, and what it asks
of the pools. Each entry of the log comes with a mapping of `MARK_BYTES` in the child's recording, made right
after the fact, so that the log and the recording can be laid side by side.

It imports nothing of ours. In the child's folder it finds `stepping`, a marshalled dictionary: `module` (the
real one's path), `param` (the graph with our layers in it), `log` and `shapes` (the files to write).
"""

import array
import ctypes
import importlib.machinery
import importlib.util
import marshal
import mmap
import sys
from pathlib import Path

MYPY = False
if MYPY:
    from typing import Any

MARK_BYTES = 11
MARKING_LAYER = "PeakmemMark"
LOADED, ENTERED, EXTRACTED, BLOB, WORKSPACE = range(1, 6)
"""What an entry tells; of a pool, the negative number tells that a block was given back."""


def real_module(path: str) -> "Any":
    """The module at `path`, which must not take our place under the name that both have."""
    ours = sys.modules[__name__]
    machinery = importlib.machinery
    loader = machinery.SourceFileLoader if path.endswith(".py") else machinery.ExtensionFileLoader
    spec = importlib.util.spec_from_loader("ncnn", loader("ncnn", path))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[__name__] = ours
    return module


with open("stepping", "rb") as told:  # noqa: PTH123 - the way the child does it
    TOLD = marshal.loads(told.read())  # noqa: S302 - from our own parent
ncnn: "Any" = real_module(TOLD["module"])
globals().update({name: thing for name, thing in vars(ncnn).items() if not name.startswith("__")})
__version__ = ncnn.__version__

address_in = ctypes.pythonapi.PyCapsule_GetPointer
address_in.restype = ctypes.c_void_p
address_in.argtypes = [ctypes.py_object, ctypes.c_char_p]


class Log:
    """Entries of four numbers: what, layer, size, address."""

    def __init__(self) -> None:
        self.layer = -1
        self.entries = array.array("q")
        self.shapes: dict[int, list[tuple[int, ...]]] = {}

    def note(self, what: int, size: int = 0, address: int = 0) -> None:
        """Add an entry about the layer that runs."""
        self.entries.extend((what, self.layer, size, address))
        mmap.mmap(-1, MARK_BYTES).close()

    def enter(self, layer: int) -> None:
        """A layer is about to run."""
        self.layer = layer
        self.note(ENTERED)

    def leave(self) -> None:
        """Write what there is, so that it is not lost with a child that hangs in the next command."""
        self.layer = -1
        with open(TOLD["log"], "ab") as file:  # noqa: PTH123
            file.write(self.entries.tobytes())
        del self.entries[:]
        Path(TOLD["shapes"]).write_bytes(marshal.dumps(self.shapes))


log = Log()


class Pool(ncnn.PoolAllocator):  # type: ignore[misc]
    """A pool with the policy of those that ncnn makes for itself."""

    def __init__(self, what: int) -> None:
        super().__init__()
        self.set_size_compare_ratio(0.0)
        self.what = what

    # Both must call their like from a method of the same name: elsewhere the binding would call them again.
    def fastMalloc(self, size: int) -> "Any":  # noqa: N802
        """Give a block, and note who asked for it."""
        block = super().fastMalloc(size)
        log.note(self.what, size, address_in(block, None))
        return block

    def fastFree(self, block: "Any") -> None:  # noqa: N802
        """Take a block back."""
        address = address_in(block, None)
        super().fastFree(block)
        log.note(-self.what, 0, address)


class MarkingLayer(ncnn.Layer):  # type: ignore[misc]
    """Has no blobs, so it never runs; ncnn builds its pipeline right after that of the layer above it."""

    def __init__(self, above: int) -> None:
        super().__init__()
        self.above = above

    def create_pipeline(self, _option: "Any") -> int:
        """Note that the layer above has packed its weights."""
        log.layer = self.above
        log.note(LOADED)
        return 0


class SteppedNet(ncnn.Net):  # type: ignore[misc]
    """Runs as `Net` does, with pools of its own that live as long as it does."""

    def __init__(self) -> None:
        super().__init__()
        self.marking: list[MarkingLayer] = []
        self.blob_pool, self.workspace_pool = Pool(BLOB), Pool(WORKSPACE)
        self.register_custom_layer(MARKING_LAYER, self.make_marking_layer, lambda _: None)

    def make_marking_layer(self) -> MarkingLayer:
        """The next one, kept alive for as long as the network."""
        # Layer i of the `.param` is followed by its marking layer: they are at 2i and 2i + 1.
        self.marking.append(MarkingLayer(2 * len(self.marking)))
        return self.marking[-1]

    def load_param(self, _path: str) -> int:
        """Read the marked graph in place of the one named."""
        code: int = super().load_param(TOLD["param"])
        self.blob_names = [blob.name for blob in self.blobs()]
        self.producers = [blob.producer for blob in self.blobs()]
        self.ends = [(list(layer.bottoms), list(layer.tops)) for layer in self.layers()]
        self.given = {number for number, layer in enumerate(self.layers()) if layer.type == "Input"}
        return code

    def load_model(self, source: "Any") -> "int | None":
        """Load the weights."""
        code: int | None = super().load_model(source)
        log.leave()
        return code

    def create_extractor(self) -> "SteppingExtractor":
        """An extractor that steps."""
        return SteppingExtractor(self, super().create_extractor())

    def clear(self) -> None:
        """Unload."""
        super().clear()
        log.leave()

    def order(self, output: str, done: "set[int]") -> "list[int]":
        """The layers to run for an output as ncnn's `forward_layer` recurses, without those that are done."""
        running: list[int] = []
        pending = [self.producers[self.blob_names.index(output)]]
        while pending:
            layer = pending[-1]
            makers = [self.producers[bottom] for bottom in self.ends[layer][0]]
            missing = next((maker for maker in makers if maker not in done), None)
            if layer not in done and missing is not None:
                pending.append(missing)
                continue
            pending.pop()
            if layer not in done:
                done.add(layer)
                running.append(layer)
        return running


class SteppingExtractor:
    """In place of ncnn's: asks for the first top of each layer in turn, then for the output."""

    def __init__(self, net: SteppedNet, extractor: "Any") -> None:
        extractor.set_blob_allocator(net.blob_pool)
        extractor.set_workspace_allocator(net.workspace_pool)
        self.net = net
        self.extractor = extractor
        self.done = set(net.given)

    def input(self, name: str, mat: "Any") -> int:
        """Hand on an input."""
        code: int = self.extractor.input(name, mat)
        return code

    def extract(self, name: str, output: "Any") -> int:
        """Run what the output needs, and fetch it."""
        for layer in self.net.order(name, self.done):
            log.enter(layer)
            for top in self.net.ends[layer][1]:
                # Let go of before the next layer runs: it could not work in place on a blob that we hold.
                mat = ncnn.Mat()
                code: int = self.extractor.extract(self.net.blob_names[top], mat, 1)
                if code:
                    return code
                if layer not in log.shapes or len(log.shapes[layer]) < len(self.net.ends[layer][1]):
                    sizes = (mat.w, mat.h, getattr(mat, "d", 1), mat.c)
                    log.shapes.setdefault(layer, []).append((mat.dims, *sizes, mat.elempack, mat.elemsize))
                del mat
        fetched = ncnn.Mat()
        code = self.extractor.extract(name, fetched, 0)
        if code:
            return code
        log.note(EXTRACTED)
        # ncnn does so with an output in a pool of its own. Without it this one would come back to our pool
        # later than it does there, and be found by other requests of the next inference.
        output.clone_from(fetched)
        log.leave()
        return code


nets = 0


def Net() -> "Any":  # noqa: N802
    """ncnn's own network the first time, then one that steps."""
    global nets
    nets += 1
    return ncnn.Net() if nets == 1 else SteppedNet()
