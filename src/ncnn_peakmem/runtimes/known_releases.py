"""Which releases of ncnn there are: asked from the index, or remembered from before."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ncnn_peakmem.runtimes import cache, pip
from ncnn_peakmem.runtimes.release_list import Releases, in_order
from ncnn_peakmem.runtimes.runtime import Progress, RuntimeNotFound


def releases(cache_folder: Path, progress: Progress = lambda _: None) -> Releases:
    """The releases that the index of the user's pip has for this Python.

    Where the index cannot be asked, those known from before and those in the cache, with a note that says
    so; `RuntimeNotFound` where none is known either.
    """
    progress("asking the package index which releases of ncnn there are")
    try:
        fresh = in_order(pip.versions("ncnn"))
        if not fresh:
            raise RuntimeNotFound("it names no release of ncnn for this Python")
    except RuntimeNotFound as error:
        return _from_before(cache_folder, error)
    # The answer is as good where it cannot be kept.
    with suppress(OSError):
        cache.remember(cache_folder, fresh)
    return Releases(fresh)


def _from_before(cache_folder: Path, error: RuntimeNotFound) -> Releases:
    known = in_order([*cache.remembered(cache_folder), *cache.installed_releases(cache_folder)])
    if not known:
        raise RuntimeNotFound(
            f"the package index could not be asked ({error}), and no release of ncnn is known from before: "
            "see that `pip index versions ncnn` gets an answer, then try again"
        )
    note = f"the package index could not be asked ({error}): these are the releases known from before"
    return Releases(known, note)
