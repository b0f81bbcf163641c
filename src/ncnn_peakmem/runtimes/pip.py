"""pip as a program: it asks whatever index its user has set, and installs beside the environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ncnn_peakmem.runtimes.process import finish
from ncnn_peakmem.runtimes.runtime import RuntimeNotFound

_INSTALL_TIMEOUT_SECONDS = 600
_ASK_TIMEOUT_SECONDS = 120

# What the environment is held to does not bind a build beside it, and a quiet pip prints no answer.
_NOT_FOR_US = {"PIP_CONSTRAINT", "PIP_QUIET"}


@dataclass(frozen=True, slots=True)
class _Answer:
    versions: list[str]


_ANSWER: TypeAdapter[_Answer] = TypeAdapter(_Answer)


def install(requirement: str, target: Path) -> None:
    """Install a project without its dependencies into a new folder; `RuntimeNotFound` with pip's reason."""
    options = ["--no-deps", "--only-binary=:all:", "--no-compile", "--no-user", "--target", str(target)]
    result = _pip(["install", "--quiet", *options, requirement], _INSTALL_TIMEOUT_SECONDS)
    if result.returncode != 0:
        raise RuntimeNotFound(_reason(result))


def versions(project: str) -> list[str]:
    """The versions of a project that the index has wheels of for this Python.

    `RuntimeNotFound` with the reason where there is no such answer.
    """
    result = _pip(["index", "versions", project, "--only-binary=:all:", "--json"], _ASK_TIMEOUT_SECONDS)
    if result.returncode != 0:
        raise RuntimeNotFound(_reason(result))
    try:
        return _ANSWER.validate_json(result.stdout).versions
    except ValidationError:
        answer = " ".join(result.stdout.split())[:60] or "nothing"
        raise RuntimeNotFound(f"pip answered {answer!r}, which is no list of versions") from None


def _pip(arguments: list[str], timeout_seconds: float) -> subprocess.CompletedProcess[str]:
    # -P: a folder named pip where the user stands is not meant. No address either: pip has its user's.
    options = ["--disable-pip-version-check", "--no-input", "--no-color"]
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_US}
    return finish([sys.executable, "-P", "-m", "pip", *arguments, *options], timeout_seconds, environment)


def _reason(result: subprocess.CompletedProcess[str]) -> str:
    """Why pip failed, in its own words."""
    # Once its last try has failed pip goes on to say that nothing was found, which is not why.
    broken = re.search(r"Retry\(total=0\b.*connection broken by '(.*)': /", result.stderr)
    if broken:
        detail = re.search(r"\(host=.*?\): (.*?)\"?\)$", broken.group(1))
        return f"the index did not answer: {(detail or broken).group(1)}"
    lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if errors and not errors[-1].startswith("Exception"):
        return errors[-1].rstrip(".")
    return lines[-1] if lines else f"pip said nothing (exit status {result.returncode})"
