"""The runtime that a user names."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from packaging.version import InvalidVersion, Version

from ncnn_peakmem.runtimes.installation import from_directory, from_release, from_wheel, installed
from ncnn_peakmem.runtimes.known_releases import releases
from ncnn_peakmem.runtimes.release_list import LATEST, PREVIOUS, named
from ncnn_peakmem.runtimes.runtime import Progress, Runtime


def resolve(
    name: str,
    cache_folder: Path,
    progress: Progress = lambda _: None,
    before: Version | None = None,
    note: Progress | None = None,
) -> Runtime:
    """The ncnn build that a name stands for.

    `installed`, `latest`, `previous` (the newest release older than `before`, or else than the latest), a
    release (`1.0.20260526`, `20260526`), a wheel or a directory (`./20260526` where it is called like a
    release). Releases and wheels are installed under `cache_folder`, without their dependencies. `note`, or
    else `progress`, is told what matters longer than it takes: that the list of releases may be out of date.
    `RuntimeNotFound` says why there is no such build.
    """
    if name == "installed":
        return installed()
    if name in {LATEST, PREVIOUS}:
        known = releases(cache_folder, progress)
        if known.note:
            (note or progress)(known.note)
        chosen = known.latest if name == LATEST else known.before(str(before or known.latest))
        return from_release(chosen, cache_folder, progress)
    path = Path(name)
    if path.suffix == ".whl":
        return from_wheel(path, cache_folder, progress)
    # A path has lost its leading `./`, which tells a directory from a release of the same name.
    if os.sep in name or (name and path.is_dir() and not _names_release(name)):
        return replace(from_directory(path), origin=name)
    return from_release(name, cache_folder, progress)


def _names_release(name: str) -> bool:
    try:
        named(name)
    except InvalidVersion:
        return False
    return True
