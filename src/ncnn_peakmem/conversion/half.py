"""Stores weights as halves: `python -m ncnn_peakmem.conversion.half PARAM BIN OUT`.

A process of its own, as everything that holds a network's weights. Refuses, in words, weights that are
neither fp32 nor fp16.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from ncnn_peakmem import param_file
from ncnn_peakmem.conversion.bench import refuse
from ncnn_peakmem.model_bin import BytesLeft, ModelBinError, Storage, Stored, Writer, walk

_LARGEST = float(np.finfo(np.float16).max)
_BLOCK = 1 << 20


def main(param: str, weights: str, out: str) -> None:
    """Write the tagged arrays of a `.bin` as fp16 and all others as they are.

    An array with a number that no half can hold stays fp32, as a line in the log tells: ncnn reads how each
    array is stored from its own tag, and an infinite weight would make another network of it.
    """
    try:
        # ncnn does not mind what comes after all that its layers read, and the copy goes without.
        with Path(out).open("wb") as stream, suppress(BytesLeft):
            writer = Writer(stream)
            for stored in walk(param_file.read(Path(param)), Path(weights)):
                _write(stored, writer)
    except (ModelBinError, param_file.ParamFileError) as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{error.filename or out}: {error.strerror}")


def _write(stored: Stored, writer: Writer) -> None:
    slot = stored.slot
    if not slot.tagged or stored.storage is Storage.FP16:
        writer.copy(stored)
    elif stored.storage is not Storage.FP32:
        refuse(f"the {slot.role} of layer {slot.layer!r} is stored as {stored.storage}, not as fp32")
    elif _fits(stored):
        writer.put(slot, stored.read(), Storage.FP16)
    else:
        sys.stdout.write(f"the {slot.role} of layer {slot.layer!r} stays fp32: fp16 ends at {_LARGEST:g}\n")
        writer.copy(stored)


def _fits(stored: Stored) -> bool:
    numbers = stored.read()
    blocks = (numbers[start : start + _BLOCK] for start in range(0, len(numbers), _BLOCK))
    # What is infinite already stays so.
    return not any(bool((np.isfinite(block) & (np.abs(block) > _LARGEST)).any()) for block in blocks)


if __name__ == "__main__":
    main(*sys.argv[1:])
