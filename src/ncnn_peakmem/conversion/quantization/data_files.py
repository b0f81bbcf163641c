"""Which files of a folder a calibration reads: .npy arrays and images, in the order of their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ncnn_peakmem.conversion.quantization.error import QuantizationError
from ncnn_peakmem.network import InputBlob

ARRAY, PORTABLE, COMPRESSED = (
    frozenset({".npy"}),
    frozenset({".pgm", ".ppm"}),
    frozenset({".jpeg", ".jpg", ".png"}),
)
"""The kinds of files by their suffixes in lower case; the compressed ones are read by Pillow."""

_KINDS = ARRAY | PORTABLE | COMPRESSED


def picked(folder: Path, blobs: Sequence[InputBlob], most: int) -> tuple[Mapping[str, Path], ...]:
    """The files of up to `most` runs: for each, one file an input.

    Those of a network with several inputs lie in a folder each, named as the input's blob. Raises
    QuantizationError where there are none, or not as many for each input.
    """
    places = {blob.name: folder / blob.name if len(blobs) > 1 else folder for blob in blobs}
    found = {name: _files(place) for name, place in places.items()}
    counts = {name: len(paths) for name, paths in found.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{count} for {name}" for name, count in counts.items())
        raise QuantizationError(f"{folder}: there must be as many files for each input: {told}")
    runs = zip(*found.values(), strict=True)
    return tuple(dict(zip(found, paths, strict=True)) for paths in runs)[:most]


def _files(folder: Path) -> Sequence[Path]:
    try:
        # Nothing is read of what is no plain file: a pipe would keep its reader waiting.
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _KINDS and path.is_file())
    except OSError as error:
        raise QuantizationError(f"{folder}: cannot be read: {error.strerror}") from error
    if not found:
        raise QuantizationError(f"{folder}: holds no calibration data ({', '.join(sorted(_KINDS))})")
    return found
