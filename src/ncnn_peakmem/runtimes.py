"""ncnn builds: found, installed beside, described. None of them is ever imported into this process."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from email.parser import HeaderParser
from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from filelock import FileLock
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

_INSTALL_TIMEOUT_SECONDS = 600
_ASK_TIMEOUT_SECONDS = 60

Progress = Callable[[str], None]


class RuntimeNotFound(ValueError):
    """There is no such ncnn build to be had; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """One ncnn build: its version and the file that holds the module `ncnn.ncnn`.

    `RuntimeNotFound` where the version cannot be ordered among others.
    """

    version: str
    module: Path

    def __post_init__(self) -> None:
        try:
            Version(self.version)
        except InvalidVersion:
            raise RuntimeNotFound(
                f"{self.module} calls itself version {self.version!r}, which is none such as 1.0.20260526"
            ) from None

    @property
    def release(self) -> Version:
        """The version, to be ordered."""
        return Version(self.version)


def installed() -> Runtime:
    """The ncnn of this environment."""
    spec = importlib.util.find_spec("ncnn")
    folders = list(spec.submodule_search_locations or []) if spec else []
    if not folders:
        raise RuntimeNotFound("ncnn is not installed here: `pip install ncnn`")
    return Runtime(metadata.version("ncnn"), _module_file(Path(folders[0])))


def resolve(name: str, cache_folder: Path, progress: Progress = lambda _: None) -> Runtime:
    """The runtime a user names: `installed`, a release (`1.0.20260526`, `20260526`), a wheel or a directory.

    Releases and wheels are installed under `cache_folder`, without their dependencies.
    """
    if name == "installed":
        return installed()
    path = Path(name)
    if path.suffix == ".whl":
        return from_wheel(path, cache_folder, progress)
    if path.is_dir():
        return from_directory(path)
    return from_release(name, cache_folder, progress)


def from_directory(folder: Path) -> Runtime:
    """A folder that holds the package `ncnn`, such as `pip install --target` or a build leaves behind."""
    folder = folder.resolve()
    module = _module_file(folder / "ncnn" if (folder / "ncnn").is_dir() else folder)
    recorded = _recorded_version(module.parent.parent)
    return Runtime(recorded or _asked_version(module), module)


def from_wheel(wheel: Path, cache_folder: Path, progress: Progress = lambda _: None) -> Runtime:
    """A wheel file, installed into a folder of its own."""
    try:
        project, version, _, _ = parse_wheel_filename(wheel.name)
        stamp = wheel.stat()
    except (InvalidWheelFilename, OSError) as error:
        raise RuntimeNotFound(f"{wheel}: {error}") from error
    if project != "ncnn":
        raise RuntimeNotFound(f"{wheel}: this is a wheel of {project}, not of ncnn")
    folder = cache_folder / "runtimes" / f"wheel-{version}-{stamp.st_size}-{stamp.st_mtime_ns}"
    return _installed_into(folder, str(wheel.resolve()), progress)


def from_release(name: str, cache_folder: Path, progress: Progress = lambda _: None) -> Runtime:
    """A published release, installed by pip from the index that the user's pip is set to."""
    version = f"1.0.{name}" if re.fullmatch(r"\d{8}", name) else name
    try:
        Version(version)
    except InvalidVersion:
        raise RuntimeNotFound(
            f"'{name}' is no ncnn runtime: give `installed`, a release such as 1.0.20260526 or 20260526, "
            "a .whl file or a directory that holds the package ncnn"
        ) from None
    folder = cache_folder / "runtimes" / f"release-{version}-{sys.implementation.cache_tag}"
    return _installed_into(folder, f"ncnn=={version}", progress)


def _installed_into(folder: Path, requirement: str, progress: Progress) -> Runtime:
    """Install into `folder` unless that is done; a folder appears whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            progress(f"installing {requirement} beside the environment")
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".filling-") as filling:
                _pip_install(requirement, Path(filling, "site"))
                Path(filling, "site").rename(folder)
    return from_directory(folder)


def _pip_install(requirement: str, target: Path) -> None:
    # Options, but never an address: pip asks whatever index its user has set.
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
    options = ["--disable-pip-version-check", "--no-compile", "--target", str(target)]
    result = _run([*command, *options, requirement], _INSTALL_TIMEOUT_SECONDS)
    if result.returncode != 0 or not (target / "ncnn").is_dir():
        shutil.rmtree(target, ignore_errors=True)
        said = [line for line in result.stderr.splitlines() if line.startswith("ERROR")] or [
            "pip said nothing"
        ]
        raise RuntimeNotFound(f"{requirement} could not be installed: {said[-1].removeprefix('ERROR: ')}")


def _module_file(package: Path) -> Path:
    """The file of module `ncnn.ncnn` in a package folder: an extension, or Python that stands in for one."""
    for suffix in (*EXTENSION_SUFFIXES, ".py"):
        module = package / f"ncnn{suffix}"
        if module.is_file():
            return module
    others = ", ".join(sorted(path.name for path in package.glob("ncnn*.so"))) or "none at all"
    tag = sys.implementation.cache_tag
    raise RuntimeNotFound(f"{package} holds no ncnn extension that {tag} can load (it has {others})")


def _recorded_version(site: Path) -> str | None:
    """The version that an installer left beside the package."""
    for record in site.glob("ncnn-*.dist-info/METADATA"):
        return HeaderParser().parsestr(record.read_text(encoding="utf-8"))["Version"]
    return None


def _asked_version(module: Path) -> str:
    """The version that the module itself tells, in a process of its own: loading it may crash."""
    script = (
        "import importlib.util as u, sys; spec = u.spec_from_file_location('ncnn', sys.argv[1]);"
        "module = u.module_from_spec(spec); spec.loader.exec_module(module); print(module.__version__)"
    )
    command = [sys.executable, "-I", "-S", "-B", "-c", script, os.fspath(module)]
    result = _run(command, _ASK_TIMEOUT_SECONDS)
    version = result.stdout.strip()
    if result.returncode != 0 or not version:
        cause = (result.stderr.strip().splitlines() or [f"exit status {result.returncode}"])[-1]
        raise RuntimeNotFound(f"{module} could not be loaded as ncnn: {cause}")
    return version


def _run(command: list[str], timeout_seconds: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeNotFound(f"{command[-1]}: still not done after {timeout_seconds:g} s") from None
