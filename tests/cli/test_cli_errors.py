"""What ends a command though nobody foresaw it: the exit code is never that of an answer."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from ncnn_peakmem import cli

COULD_NOT_MEASURE = 3


def ended_by(error: OSError, monkeypatch: pytest.MonkeyPatch) -> Result:
    """How `ncnn-peakmem measure` ends where something in it raises this."""

    @click.command()
    def measure() -> None:
        raise error

    monkeypatch.setattr(cli._Commands, "get_command", lambda *_: measure)
    return CliRunner().invoke(cli.main, ["measure"])


def of(number: int) -> OSError:
    return OSError(number, os.strerror(number), "/place/file")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES], ids=errno.errorcode.get)
def test_a_disk_is_told_in_a_line(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    result = ended_by(of(number), monkeypatch)

    assert result.exit_code == COULD_NOT_MEASURE
    advice = "see that there is room and that you may write there"
    assert result.stderr == f"Error: /place/file: {os.strerror(number)}: {advice}\n"


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EMFILE, errno.ENOMEM], ids=errno.errorcode.get)
def test_a_mistake_of_ours_keeps_its_traceback(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    result = ended_by(of(number), monkeypatch)

    assert result.exit_code == COULD_NOT_MEASURE
    assert "Traceback" in result.stderr
    assert f"{os.strerror(number)}: '/place/file'" in result.stderr
    assert "see that there is room" not in result.stderr


def test_nobody_reads_what_is_told(small_param: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = "from ncnn_peakmem.cli import main; main()"
    measure = ["measure", str(small_param), "--json", "--gauge=heap"]
    with open(writer, "wb") as nobody:  # noqa: PTH123 - a descriptor
        result = subprocess.run(
            [sys.executable, "-c", command, *measure],
            stdout=nobody,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=120,
        )

    assert result.returncode == COULD_NOT_MEASURE
    assert "Traceback" not in result.stderr
    assert "Broken pipe" not in result.stderr
    assert "BrokenPipe" not in result.stderr
