"""A network run by ncnn, here in this process, with every blob there to be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import ncnn  # type: ignore[import-untyped]
import numpy as np

from ncnn_peakmem.conversion.quantization.error import QuantizationError
from ncnn_peakmem.conversion.quantization.generated_input import Inputs
from ncnn_peakmem.conversion.quantization.scale import Floats


class Runner:
    """ncnn with one network loaded. Computes in fp32, whatever a CPU prefers; int8 where the weights are.

    One thread: ncnn's wait for each other actively, which costs more than it gives where cores are busy.
    """

    def __init__(self, param: Path, weights: Path) -> None:
        self._net = ncnn.Net()
        self._net.opt.num_threads = 1
        for name in ("use_fp16_storage", "use_fp16_packed", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(self._net.opt, name, False)
        for load, file in ((self._net.load_param, param), (self._net.load_model, weights)):
            if (code := load(str(file))) != 0:
                raise QuantizationError(f"{file}: ncnn's {load.__name__} returned {code}")

    def blobs(self, inputs: Inputs, wanted: Iterable[str]) -> Iterator[tuple[str, Floats]]:
        """Run the network once and give each wanted blob by its name, valid until the next is asked for."""
        extractor = self._net.create_extractor()
        # In light mode a blob is gone once it was read, and would be computed again.
        extractor.set_light_mode(False)
        kept = {name: np.ascontiguousarray(values) for name, values in inputs.items()}
        for name, values in kept.items():
            if (code := extractor.input(name, ncnn.Mat(values))) != 0:
                raise QuantizationError(f"ncnn takes no input {name!r} (code {code})")
        for name in wanted:
            code, blob = extractor.extract(name)
            if code != 0:
                raise QuantizationError(f"ncnn cannot compute blob {name!r} (code {code})")
            yield name, np.array(blob)
        del extractor
