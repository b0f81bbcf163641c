"""Where in the cache folder builds are installed, and the list of releases is remembered."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ncnn_peakmem import whole_file
from ncnn_peakmem.runtimes.wheel import Wheel

_LIST: TypeAdapter[list[str]] = TypeAdapter(list[str])
_TAG = sys.implementation.cache_tag


def release_folder(cache_folder: Path, version: str) -> Path:
    """Where a release is installed for this Python."""
    return cache_folder / "runtimes" / f"release-{version}-{_TAG}"


def wheel_folder(cache_folder: Path, wheel: Wheel) -> Path:
    """Where a wheel is installed: named by its content, for two builds may share name and version."""
    return cache_folder / "runtimes" / f"wheel-{wheel.version}-{wheel.digest[:16]}"


def installed_releases(cache_folder: Path) -> list[str]:
    """The versions of the releases that are installed in the cache for this Python."""
    start, end = "release-", f"-{_TAG}"
    folders = (cache_folder / "runtimes").glob(f"{start}*{end}")
    return [folder.name.removeprefix(start).removesuffix(end) for folder in folders if folder.is_dir()]


def remember(cache_folder: Path, versions: Iterable[str]) -> None:
    """Keep the list of releases; other processes see the old list or the new one, never a part."""
    place = _remembered(cache_folder)
    place.parent.mkdir(parents=True, exist_ok=True)
    whole_file.write(place, _LIST.dump_json(list(versions), indent=1))


def remembered(cache_folder: Path) -> list[str]:
    """The list that `remember` kept, empty where there is none that can be read."""
    try:
        return _LIST.validate_json(_remembered(cache_folder).read_bytes())
    except (OSError, ValidationError):
        return []


def _remembered(cache_folder: Path) -> Path:
    return cache_folder / "runtimes" / f"releases-{_TAG}.json"
