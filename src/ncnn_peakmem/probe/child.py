"""The measured process: does what its parent commands, one step at a time, and never measures itself.

It imports nothing but ncnn and what the interpreter has built in (memray too, where the heap is traced), so
that its memory is the interpreter's and ncnn's alone. The parent feeds this file to the interpreter's
standard input, so that no path of the machine is part of the process.

The wire: standard output is one end of a socket pair. The parent writes a job (a length of 4 bytes, little
endian, and that many bytes of marshalled dictionary), then a command a line; each is answered by a line:
`ok NANOSECONDS`, `unsupported CAUSE`, `failed CAUSE` or `out_of_memory CAUSE`. Between two commands the
child waits: that is the barrier at which the parent reads its memory.
"""

import _frozen_importlib
import _frozen_importlib_external
import marshal
import posix
import sys
import time

MYPY = False
if MYPY:
    from typing import Any

WIRE = 3


class Unsupported(Exception):
    """This ncnn lacks something that the job asks for."""


class Failed(Exception):
    """Ncnn returned an error."""


class Model:
    """One network in ncnn, through the phases of its life."""

    def __init__(self, job: "dict[str, Any]") -> None:
        self.job = job

    def do_import(self) -> None:
        path = self.job["module"]
        loaders = _frozen_importlib_external
        loader = loaders.SourceFileLoader if path.endswith(".py") else loaders.ExtensionFileLoader
        spec = _frozen_importlib.ModuleSpec("ncnn", loader("ncnn", path), origin=path)
        self.ncnn = _frozen_importlib._load(spec)  # type: ignore[attr-defined]

    def do_load_param(self) -> None:
        self.net = self.ncnn.Net()
        for name, value in self.job["options"]:
            if not hasattr(self.net.opt, name):
                raise Unsupported(f"this ncnn has no option {name}")
            setattr(self.net.opt, name, value)
        check(self.net.load_param(self.job["param"]), "load_param")

    def do_load_model(self) -> None:
        path = self.job["bin"]
        check(self.net.load_model(path or self.ncnn.DataReaderFromEmpty()), "load_model")

    def do_prepare_input(self) -> None:
        # The shape is width first here, the way Mat's constructor takes it.
        self.inputs = [(name, self.ncnn.Mat(*shape)) for name, shape in self.job["inputs"]]
        for _, mat in self.inputs:
            mat.fill(0.5)

    def do_infer(self) -> None:
        # Both go out of scope before the next loop: a live extractor or output would add to its peak. The
        # two-argument extract spares the output copy that the tuple form makes.
        extractor = self.net.create_extractor()
        for name, mat in self.inputs:
            check(extractor.input(name, mat), f"input {name}")
        for name in self.job["outputs"]:
            output = self.ncnn.Mat()
            check(extractor.extract(name, output), f"extract {name}")
            if output.empty():
                raise Failed(f"extract {name} gave an empty output")

    def do_unload(self) -> None:
        del self.inputs
        self.net.clear()
        del self.net


class Trace:
    """Records every allocation with memray, and where one command ends and the next begins."""

    def __init__(self, path: str, search: list[str]) -> None:
        # Ours come last: nothing of the trace may shadow what the measured module would see.
        sys.path.extend(search)
        import mmap

        import memray

        self.mmap = mmap.mmap
        self.tracker = memray.Tracker(path)
        self.tracker.__enter__()

    def mark(self) -> None:
        # Recorded as a mapping of 7 bytes, which nothing else makes.
        self.mmap(-1, 7).close()

    def end(self) -> None:
        self.tracker.__exit__(None, None, None)


class NoTrace:
    """Stands in where nothing is traced."""

    def mark(self) -> None:
        pass

    def end(self) -> None:
        pass


def check(code: "int | None", call: str) -> None:
    """Raise `Failed` for a ncnn return code other than 0; some releases return None for success."""
    if code:
        raise Failed(f"{call} returned {code}")


def receive(size: int) -> bytes:
    chunks = b""
    while len(chunks) < size:
        chunk = posix.read(WIRE, size - len(chunks))
        if not chunk:
            posix._exit(0)  # The parent is gone.
        chunks += chunk
    return chunks


def command() -> str:
    line = b""
    while not line.endswith(b"\n"):
        line += receive(1)
    return line[:-1].decode()


def answer(word: str, detail: object) -> None:
    posix.write(WIRE, f"{word} {detail}".replace("\n", " ").encode() + b"\n")


def obey(model: Model, name: str, trace: "Trace | NoTrace") -> None:
    """Carry out one command and answer it."""
    step = getattr(model, "do_" + name)
    try:
        start = time.perf_counter_ns()
        step()
        duration = time.perf_counter_ns() - start
        trace.mark()
    except Unsupported as error:
        answer("unsupported", error)
    except MemoryError as error:
        answer("out_of_memory", f"{name}: {error or 'MemoryError'}")
    except Exception as error:  # Whatever ncnn raises is an outcome for the parent to name.
        answer("failed", error if type(error) is Failed else f"{name}: {type(error).__name__}: {error}")
    else:
        answer("ok", duration)


def main() -> None:
    # The wire moves away from standard output, where ncnn or a layer of its may print.
    posix.dup2(1, WIRE)
    posix.dup2(2, 1)
    job = marshal.loads(receive(int.from_bytes(receive(4), "little")))
    trace = Trace(job["trace"], job["search"]) if job["trace"] else NoTrace()
    model = Model(job)
    while (name := command()) != "exit":
        obey(model, name, trace)
    trace.end()
    answer("ok", 0)


main()
