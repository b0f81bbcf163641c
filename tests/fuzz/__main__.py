"""Fuzz the readers of files that others write: `python -m tests.fuzz --seconds 20`.

Each target runs under libFuzzer in a process of its own, held to its memory and its time for an input. Inputs
that it finds worth keeping go to a copy of the corpus; what it stumbles over is saved, and the command that
does it again is told.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import click

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CORPUS, REGRESSIONS = HERE / "corpus", HERE / "regressions"
TARGETS = tuple(sorted(path.stem for path in (HERE / "targets").glob("*.py")))

_MEMORY_MIB = 2048
_SECONDS_AN_INPUT = 60
_MOST_BYTES = 8192
# Starting up, and reading the corpus on a busy machine, is not in libFuzzer's own time.
_GRACE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Outing:
    """One target's run: how long, how many inputs, what was covered, and what was found."""

    target: str
    seconds: float
    inputs: int
    features: int
    found: tuple[Path, ...]
    log: Path
    ended_well: bool

    def __str__(self) -> str:
        told = f"{self.target:<16} {self.seconds:6.0f} s {self.inputs:>10} inputs {self.features:>6} features"
        return told + ("" if self.ended_well else "   FOUND SOMETHING")


@click.command()
@click.option("--seconds", type=click.IntRange(1), default=20, show_default=True, help="For all targets.")
@click.option("--target", "names", type=click.Choice(TARGETS), multiple=True, help="Only these targets.")
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=ROOT / "build" / "fuzz",
    help="Where the growing corpus, logs and findings are kept [default: build/fuzz].",
)
@click.option("--seed", type=int, help="libFuzzer's; the same one tries the same inputs.")
@click.option(
    "--merge", is_flag=True, help="Put what was found worth keeping into tests/fuzz/corpus instead."
)
def main(seconds: int, names: tuple[str, ...], work: Path, seed: int | None, merge: bool) -> None:
    """Fuzz each target for its share of the time; exit with 1 if any stumbled."""
    if not (sys.version_info < (3, 14) and platform.machine() == "x86_64"):
        click.echo("nothing was fuzzed: atheris has no wheel for this Python and processor", err=True)
        return
    targets = names or TARGETS
    stumbled = False
    for target in targets:
        if merge:
            _merge(target, work)
            continue
        outing = _fuzz(target, max(1, seconds // len(targets)), work, seed)
        click.echo(outing)
        if not outing.ended_well:
            stumbled = True
            _tell(outing)
    sys.exit(stumbled)


def _fuzz(target: str, seconds: int, work: Path, seed: int | None) -> Outing:
    grown, found, log = work / target / "corpus", work / target / "found", work / target / "log.txt"
    for folder in (grown, found):
        folder.mkdir(parents=True, exist_ok=True)
    words = work / target / "words.txt"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in _tokens(target)))
    before = set(found.iterdir())
    began = time.monotonic()
    code = _run(
        target,
        log,
        f"-max_total_time={seconds}",
        f"-timeout={_SECONDS_AN_INPUT}",
        f"-rss_limit_mb={_MEMORY_MIB}",
        f"-max_len={_MOST_BYTES}",
        *([f"-dict={words}"] if words.stat().st_size else []),
        f"-artifact_prefix={found}/",
        "-print_final_stats=1",
        *([f"-seed={seed}"] if seed is not None else []),
        str(grown),
        *_folders(CORPUS / target, REGRESSIONS / target),
        limit=seconds + _GRACE_SECONDS,
    )
    said = log.read_text(encoding="utf-8", errors="replace")
    inputs = re.search(r"number_of_executed_units: (\d+)", said)
    features = re.findall(r"\bft: (\d+)", said)
    return Outing(
        target,
        time.monotonic() - began,
        int(inputs[1]) if inputs else 0,
        int(features[-1]) if features else 0,
        tuple(sorted(set(found.iterdir()) - before)),
        log,
        code == 0,
    )


def _merge(target: str, work: Path) -> None:
    """The smallest inputs that cover what all of them do, in place of the corpus."""
    small, log = work / target / "small", work / target / "merge.txt"
    small.mkdir(parents=True, exist_ok=True)
    for old in small.iterdir():
        old.unlink()
    folders = _folders(small, CORPUS / target, work / target / "corpus")
    code = _run(target, log, "-set_cover_merge=1", f"-max_len={_MOST_BYTES}", *folders, limit=_GRACE_SECONDS)
    if code != 0:
        raise click.ClickException(f"{target}: merging failed, see {log}")
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    for old in (CORPUS / target).iterdir():
        old.unlink()
    for kept in small.iterdir():
        (CORPUS / target / kept.name[:12]).write_bytes(kept.read_bytes())
    click.echo(f"{target:<16} {len(list(small.iterdir())):>6} inputs kept")


def _run(target: str, log: Path, *arguments: str, limit: float) -> int:
    command = [sys.executable, "-m", "tests.fuzz.harness", target, *arguments]
    # Inputs are written to files a thousand times a second: in memory, where there is such a folder.
    shared = {"TMPDIR": "/dev/shm"} if os.access("/dev/shm", os.W_OK) else {}
    with log.open("wb") as output:
        try:
            return subprocess.run(
                command,
                cwd=ROOT,
                env={**os.environ, **shared},
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=limit,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            return 124


def _folders(*folders: Path) -> list[str]:
    """Those of them that there are."""
    return [str(folder) for folder in folders if folder.is_dir()]


def _tell(outing: Outing) -> None:
    log = outing.log.read_text(encoding="utf-8", errors="replace").splitlines()
    start = next((number for number, line in enumerate(log) if "Uncaught Python exception" in line), -30)
    for line in log[start:][:40]:
        click.echo(f"    {line}", err=True)
    for path in outing.found:
        click.echo(f"  again  python -m tests.fuzz.replay {outing.target} {path}", err=True)
        kept = (REGRESSIONS / outing.target).relative_to(ROOT)
        click.echo(f"  then   keep it in {kept} under a name that says what it was", err=True)
    click.echo(f"  log    {outing.log}", err=True)


def _tokens(target: str) -> tuple[str, ...]:
    tokens: tuple[str, ...] = import_module(f"tests.fuzz.targets.{target}").TOKENS
    return tokens


def _escaped(word: str) -> str:
    return "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word.encode()
    )


if __name__ == "__main__":
    main()
