"""ncnn builds found, or installed beside the environment. None is ever imported into this process."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import replace
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path

from filelock import FileLock
from packaging.version import InvalidVersion, Version

from ncnn_peakmem.runtimes import cache, pip, wheel
from ncnn_peakmem.runtimes.extension import loaded_version, module_file, this_python
from ncnn_peakmem.runtimes.installed_files import changed_since_installed
from ncnn_peakmem.runtimes.release_list import in_order, named
from ncnn_peakmem.runtimes.runtime import Progress, Runtime, RuntimeNotFound, about


def installed() -> Runtime:
    """The ncnn of this environment, found without being loaded."""
    spec = importlib.util.find_spec("ncnn")
    folders = list(spec.submodule_search_locations or []) if spec else []
    try:
        version = metadata.version("ncnn")
    except metadata.PackageNotFoundError:
        folders = []
    if not folders:
        raise RuntimeNotFound("ncnn is not installed here: `pip install ncnn`")
    with about(folders[0]):
        return Runtime(version, module_file(Path(folders[0])))


def from_directory(folder: Path) -> Runtime:
    """A folder that holds the package `ncnn`, such as `pip install --target` or a build leaves behind."""
    with about(folder):
        if not folder.is_dir():
            raise RuntimeNotFound(f"there is no such directory in {Path.cwd()}")
        return _described(folder.resolve(), str(folder))


def from_wheel(path: Path, cache_folder: Path, progress: Progress = lambda _: None) -> Runtime:
    """A wheel file, installed into a folder of its own."""

    def fill(folder: Path) -> None:
        wheel.check_whole(path)
        try:
            pip.install(str(path.resolve()), folder)
        except RuntimeNotFound as error:
            raise RuntimeNotFound(
                f"pip could not install it: {error}: build it again for {this_python()}"
            ) from error
        recorded = _recorded_version(folder)
        if recorded is None or Version(recorded) != found.version:
            raise RuntimeNotFound(f"it holds version {recorded}: give it the name that its build gave it")

    with about(path):
        found = wheel.look_at(path)
        folder = cache.wheel_folder(cache_folder, found)
        return _installed_into(folder, fill, str(path), progress, origin=str(path))


def from_release(name: str, cache_folder: Path, progress: Progress = lambda _: None) -> Runtime:
    """A published release, installed by pip from the index that the user's pip is set to."""
    try:
        version = str(named(name))
    except InvalidVersion:
        raise RuntimeNotFound(
            f"'{name}' is no ncnn runtime: give `installed`, `latest`, `previous`, a release such as "
            "1.0.20260526 or 20260526, a .whl file or a directory that holds the package ncnn"
        ) from None
    requirement = f"ncnn=={version}"

    def fill(folder: Path) -> None:
        try:
            pip.install(requirement, folder)
        except RuntimeNotFound as error:
            there = ", ".join(in_order(cache.installed_releases(cache_folder))) or "no release"
            raise RuntimeNotFound(
                f"it is not in the cache, and pip could not get it: {error}. `pip index versions ncnn` lists "
                f"the releases; the cache has {there}"
            ) from error

    with about(f"ncnn {version}"):
        return _installed_into(cache.release_folder(cache_folder, version), fill, requirement, progress)


def _installed_into(
    folder: Path, fill: Callable[[Path], None], what: str, progress: Progress, origin: str = ""
) -> Runtime:
    """The build in a folder, which `fill` makes unless it is there.

    It appears once its ncnn can be loaded, or not at all.
    """
    folder = folder.resolve()
    filling = folder.with_name(f".{folder.name}.filling")
    if isinstance(found := _found(folder, origin), Runtime):
        return found
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if isinstance(found := _found(folder, origin), Runtime):
                return found
            if found:
                progress(f"{folder} is damaged ({found}): it is made again")
            progress(f"installing {what} beside the environment")
            # A process that was killed may have left one.
            shutil.rmtree(filling, ignore_errors=True)
            try:
                fill(filling)
                # What does not hold now never will: it would be made again each time, under those who use it.
                if changed := changed_since_installed(filling):
                    raise RuntimeNotFound(
                        f"{changed[0]} is not what its own list of files (RECORD) says: "
                        "build or download it again"
                    )
                made = _described(filling, origin)
                shutil.rmtree(folder, ignore_errors=True)
                filling.rename(folder)
            finally:
                shutil.rmtree(filling, ignore_errors=True)
            return replace(made, module=folder / made.module.relative_to(filling))
    except OSError as error:
        raise RuntimeNotFound(
            f"it could not be installed into {folder.parent}: {error.strerror}: see that there is room "
            "and that you may write there, or choose another cache folder"
        ) from error


def _found(folder: Path, origin: str) -> Runtime | str:
    """The build that was installed into a folder, or what damages it; empty where there is none."""
    if not folder.is_dir():
        return ""
    try:
        if changed := changed_since_installed(folder):
            return f"{changed[0]} is not what was installed"
        return _described(folder, origin)
    except (OSError, RuntimeNotFound) as error:
        return str(error)


def _described(folder: Path, origin: str) -> Runtime:
    """The build in a folder, once it has shown that it can be loaded."""
    module = module_file(folder / "ncnn" if (folder / "ncnn").is_dir() else folder)
    told = loaded_version(module)
    recorded = _recorded_version(module.parent.parent) if module.parent.name == "ncnn" else None
    return Runtime(recorded or told, module, origin)


def _recorded_version(site: Path) -> str | None:
    """The version that an installer left beside the package, where it left just one."""
    records = list(site.glob("ncnn-*.dist-info/METADATA"))
    if len(records) != 1:
        return None
    return HeaderParser().parsestr(records[0].read_text(encoding="utf-8", errors="replace"))["Version"]
