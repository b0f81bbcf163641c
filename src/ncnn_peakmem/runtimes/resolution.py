"""The runtime that a user names."""

from __future__ import annotations

from pathlib import Path

from packaging.version import Version

from ncnn_peakmem.runtimes.installation import from_directory, from_release, from_wheel, installed
from ncnn_peakmem.runtimes.known_releases import releases
from ncnn_peakmem.runtimes.release_list import LATEST, PREVIOUS
from ncnn_peakmem.runtimes.runtime import Progress, Runtime


def resolve(
    name: str,
    cache_folder: Path,
    progress: Progress = lambda _: None,
    before: Version | None = None,
) -> Runtime:
    """The ncnn build that a name stands for.

    `installed`, `latest`, `previous` (the newest release older than `before`, or else than the latest), a
    release (`1.0.20260526`, `20260526`), a wheel or a directory. Releases and wheels are installed under
    `cache_folder`, without their dependencies. `RuntimeNotFound` says why there is no such build.
    """
    if name == "installed":
        return installed()
    if name in {LATEST, PREVIOUS}:
        known = releases(cache_folder, progress)
        if known.note:
            progress(known.note)
        chosen = known.latest if name == LATEST else known.before(str(before or known.latest))
        return from_release(chosen, cache_folder, progress)
    path = Path(name)
    if path.suffix == ".whl":
        return from_wheel(path, cache_folder, progress)
    if name and (path.is_dir() or len(path.parts) > 1):
        return from_directory(path)
    return from_release(name, cache_folder, progress)
