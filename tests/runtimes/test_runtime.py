from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ncnn_peakmem.runtimes import Runtime, RuntimeNotFound


def test_title_of_a_build_of_ones_own_says_where_it_is_from() -> None:
    assert Runtime("1.0.20261020", Path("ncnn.so")).title == "1.0.20261020"
    assert Runtime("1.0.20261123", Path("x"), "dist/a.whl").title == "1.0.20261123 (dist/a.whl)"


def test_origin_makes_no_difference() -> None:
    assert Runtime("1.0.1", Path("x"), "build") == Runtime("1.0.1", Path("x"), "./build")
    assert Runtime("1.0.1", Path("x")) != Runtime("1.0.1", Path("y"))


def test_digest_is_that_of_the_bytes_of_the_module(tmp_path: Path) -> None:
    module = tmp_path / "ncnn.py"
    module.write_bytes(b"one build")
    runtime = Runtime("1.0.1", module)

    assert runtime.digest == hashlib.sha256(b"one build").hexdigest()

    module.write_bytes(b"another build of the same version")
    assert runtime.digest == hashlib.sha256(module.read_bytes()).hexdigest()


def test_digest_of_a_build_that_has_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeNotFound, match=r"gone\.so: No such file"):
        _ = Runtime("1.0.1", tmp_path / "gone.so").digest


def test_releases_are_ordered_as_versions() -> None:
    old, new = Runtime("1.0.9", Path("x")), Runtime("1.0.20240820", Path("x"))

    assert old.release < new.release


def test_version_that_cannot_be_ordered_is_refused() -> None:
    with pytest.raises(RuntimeNotFound, match=r"ncnn\.so calls itself version '1\.0\.git-abc'"):
        Runtime("1.0.git-abc", Path("build/ncnn.so"))
