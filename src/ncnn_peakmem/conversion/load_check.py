"""Loads a converted network into ncnn: `python -m ncnn_peakmem.conversion.load_check PARAM BIN`.

A process of its own, because ncnn may crash on files it should refuse. Refuses them in words.
"""

from __future__ import annotations

import sys
from pathlib import Path

import ncnn  # type: ignore[import-untyped]

from ncnn_peakmem import param_file
from ncnn_peakmem.conversion.bench import refuse


def main(param: str, weights: str) -> None:
    """Refuse the files unless ncnn knows every layer and loads both files."""
    types = dict.fromkeys(layer.type for layer in param_file.read(Path(param)).layers)
    unknown = [name for name in types if ncnn.layer_to_index(name) < 0]
    if unknown:
        refuse(f"operator {', '.join(unknown)} has no ncnn layer")
    net = ncnn.Net()
    if (code := net.load_param(param)) != 0:
        refuse(f"ncnn's load_param returned {code}")
    if (code := net.load_model(weights)) != 0:
        refuse(f"ncnn's load_model returned {code}")


if __name__ == "__main__":
    main(*sys.argv[1:])
