"""A package index that cannot be reached."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ncnn_peakmem import runtimes
from tests.conftest import SMALL_PARAM
from tests.faults.session import Session, session_in

OLD, NEW = "1.0.20240101", "1.0.20250101"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A session whose pip is told of a port on which nobody listens."""
    session = session_in(tmp_path, SMALL_PARAM)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{bound.getsockname()[1]}/simple"
        session.environment |= {"PIP_INDEX_URL": nowhere, "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "1"}
        session.environment |= {"PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "", "PIP_NO_INDEX": ""}
        yield session


@pytest.fixture
def cached(session: Session) -> Path:
    """A cache that has one release, and remembers of another."""
    folder = session.folder / "cache" / "runtimes"
    tag = sys.implementation.cache_tag
    place = folder / f"release-{OLD}-{tag}"
    place.mkdir(parents=True)
    (place / "ncnn").symlink_to(runtimes.installed().module.parent)
    (folder / f"releases-{tag}.json").write_text(json.dumps([OLD, NEW]))
    return folder.parent


@pytest.mark.fault(
    "the package index cannot be reached",
    "releases in the cache and the remembered list go on working, with a note; any other: exit code 3 or 4, "
    "and why",
)
def test_index_cannot_be_reached(session: Session, cached: Path) -> None:
    cache = f"--cache-dir={cached}"

    known = session.program("measure", "small", f"--ncnn={OLD}", "--gauge=heap", cache)
    listed = session.program("measure", "small", "--ncnn=previous", "--gauge=heap", cache)
    missing = session.program("measure", "small", f"--ncnn={NEW}", cache)
    run = session.pytest(f"--peakmem-ncnn={NEW}")

    assert known.code == 0, known.text
    assert listed.code == 0, listed.text
    assert "these are the releases known from before" in listed.text
    assert missing.code == 3
    assert run.code == pytest.ExitCode.USAGE_ERROR
    for refused in (missing, run):
        assert f"ncnn {NEW}: it is not in the cache, and pip could not get it: " in refused.text
        assert "the index did not answer: " in refused.text
        assert f"the cache has {OLD}" in refused.text


@pytest.mark.fault(
    "the package index cannot be reached, and nothing is cached", "exit code 3, with what to try"
)
def test_nothing_is_known(session: Session) -> None:
    refused = session.program("history", "--releases=latest", f"--cache-dir={session.folder / 'cache'}")

    assert refused.code == 3, refused.text
    assert "the package index could not be asked (the index did not answer: " in refused.text
    assert "see that `pip index versions ncnn` gets an answer" in refused.text
