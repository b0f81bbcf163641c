"""Which releases there are, and the ways to name some of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.runtimes import Releases, RuntimeNotFound

FOUR = Releases(("1.0.20221128", "1.0.20240820", "1.0.20241226", "1.0.20261020"))
OLD, SUMMER, WINTER, NEW = FOUR.versions

PipSays = Callable[..., None]


def answer(*versions: str) -> str:
    return json.dumps({"name": "ncnn", "versions": versions, "latest": versions[0]})


def memory(cache: Path) -> Path:
    return cache / "runtimes" / f"releases-{sys.implementation.cache_tag}.json"


def install(cache: Path, versions: Iterable[str]) -> None:
    """Releases in the cache, as far as a list can tell."""
    for version in versions:
        (cache / "runtimes" / f"release-{version}-{sys.implementation.cache_tag}").mkdir(parents=True)


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("all", (OLD, SUMMER, WINTER, NEW)),
        ("latest", (NEW,)),
        ("previous", (WINTER,)),
        ("20240820", (SUMMER,)),
        ("1.0.20241226, latest , 20240820", (SUMMER, WINTER, NEW)),
        ("latest,20261020,1.0.20261020", (NEW,)),
        ("20240820..20241226", (SUMMER, WINTER)),
        ("20240821..latest", (WINTER, NEW)),
        ("1.0.20240101..20250101", (SUMMER, WINTER)),
        ("20241226..", (WINTER, NEW)),
        ("..20240820", (OLD, SUMMER)),
        ("..previous", (OLD, SUMMER, WINTER)),
        ("..20230101,latest", (OLD, NEW)),
    ],
)
def test_releases_are_selected(text: str, chosen: tuple[str, ...]) -> None:
    assert FOUR.select(text) == chosen


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("20240821", r"20240821 is no release .* the nearest: 1\.0\.20240820 and 1\.0\.20241226$"),
        ("20990101", r"the nearest: 1\.0\.20261020$"),
        ("20000101", r"the nearest: 1\.0\.20221128$"),
        ("latest,20240821", "20240821 is no release"),
        ("20250101..20260101", r"in 20250101\.\.20260101: there are 1\.0\.20221128, .*1\.0\.20261020"),
        ("20241226..20240820", r"no release of ncnn is in 20241226\.\.20240820"),
        ("latest,20990101..", r"no release of ncnn is in 20990101\.\."),
        ("banana", "'banana' names no release of ncnn: give a date"),
        ("banana..", "'banana' names no release"),
        ("20240820...latest", r"'\.latest' names no release"),
        ("", "names no release: give `all`"),
        (" , ", "names no release: give `all`"),
    ],
)
def test_what_selects_no_release_is_told(text: str, reason: str) -> None:
    with pytest.raises(RuntimeNotFound, match=reason):
        FOUR.select(text)


@pytest.mark.parametrize(
    ("name", "release"),
    [("latest", NEW), (" previous ", WINTER), ("20240820", SUMMER), ("1.0.20221128", OLD)],
)
def test_one_release_is_named(name: str, release: str) -> None:
    assert FOUR.one(name) == release


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("20240821", r"20240821 is no release .* the nearest: 1\.0\.20240820 and 1\.0\.20241226$"),
        ("all", "'all' names no release of ncnn: give a date"),
        ("20240820..", r"'20240820\.\.' names no release"),
        ("20240820..20240820", "names no release"),
        ("20240820,latest", "'20240820,latest' names no release"),
        ("20240820,", "'20240820,' names no release"),
        ("", "'' names no release"),
    ],
)
def test_what_does_not_name_one_release_is_told(name: str, reason: str) -> None:
    with pytest.raises(RuntimeNotFound, match=reason):
        FOUR.one(name)


@pytest.mark.parametrize(
    ("version", "older"), [(NEW, WINTER), ("1.0.20261123", NEW), ("20241226", SUMMER), ("20230101", OLD)]
)
def test_release_before_a_version(version: str, older: str) -> None:
    assert FOUR.before(version) == older


def test_nothing_is_before_the_oldest() -> None:
    with pytest.raises(RuntimeNotFound, match=r"no release of ncnn is older than 1\.0\.20221128: there are"):
        FOUR.before(OLD)


def test_there_is_no_latest_of_none() -> None:
    with pytest.raises(RuntimeNotFound, match="no release of ncnn is known"):
        _ = Releases(()).latest


def test_index_is_asked_and_its_answer_put_in_order(tmp_path: Path, pip_says: PipSays) -> None:
    strange = ("1.0.20270101rc1", "1.0.20270101.dev2", "first-try", "1.0.9")
    pip_says(answer(NEW, OLD, SUMMER, *strange), complaint="WARNING: something else is not well")
    said: list[str] = []

    assert runtimes.releases(tmp_path, said.append) == Releases(("1.0.9", OLD, SUMMER, NEW))
    assert said == ["asking the package index which releases of ncnn there are"]


def test_old_answer_stands_in_where_the_index_does_not_answer(tmp_path: Path, pip_says: PipSays) -> None:
    pip_says(answer(SUMMER, OLD))
    runtimes.releases(tmp_path)
    install(tmp_path, [WINTER, SUMMER, "1.0.git"])
    pip_says("", complaint="ERROR: No matching distribution found for ncnn", code=1)

    found = runtimes.releases(tmp_path)

    assert found.versions == (OLD, SUMMER, WINTER)
    assert found.note == (
        "the package index could not be asked (No matching distribution found for ncnn): "
        "these are the releases known from before"
    )


def test_later_answer_takes_the_place_of_the_one_before(tmp_path: Path, pip_says: PipSays) -> None:
    for versions in ((OLD, SUMMER), (SUMMER, NEW)):
        pip_says(answer(*versions))
        runtimes.releases(tmp_path)

    assert json.loads(memory(tmp_path).read_text()) == [SUMMER, NEW]
    assert [path.name for path in memory(tmp_path).parent.iterdir()] == [memory(tmp_path).name]


def test_damaged_memory_is_no_memory(tmp_path: Path, offline: None) -> None:
    install(tmp_path, [WINTER])
    memory(tmp_path).write_bytes(b'["1.0.2024\xff')

    assert runtimes.releases(tmp_path).versions == (WINTER,)


def test_releases_of_another_python_are_not_ours(tmp_path: Path, offline: None) -> None:
    install(tmp_path, [WINTER])
    (tmp_path / "runtimes" / f"release-{NEW}-cpython-36").mkdir()
    memory(tmp_path).with_name("releases-cpython-36.json").write_text(json.dumps([NEW]))

    assert runtimes.releases(tmp_path).versions == (WINTER,)


def test_nothing_known_at_all_is_told(tmp_path: Path, offline: None) -> None:
    with pytest.raises(RuntimeNotFound, match=r"be asked \(No matching.* `pip index versions ncnn`"):
        runtimes.releases(tmp_path)
    assert not memory(tmp_path).exists()


@pytest.mark.parametrize(
    "nonsense",
    ["", "<html>please log in</html>", "[]", '{"versions": null}', '{"versions": [3]}', '{"versions": []}'],
)
def test_answer_that_makes_no_sense_is_none(tmp_path: Path, pip_says: PipSays, nonsense: str) -> None:
    pip_says(nonsense)

    with pytest.raises(RuntimeNotFound, match="the package index could not be asked"):
        runtimes.releases(tmp_path)

    install(tmp_path, [WINTER])
    assert runtimes.releases(tmp_path).versions == (WINTER,)
    assert not memory(tmp_path).exists()


def test_index_that_hangs_is_given_up(
    tmp_path: Path, pip_says: PipSays, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ncnn_peakmem.runtimes.pip._ASK_TIMEOUT_SECONDS", 0.2)
    pip_says("")
    (tmp_path / "stands-in-for-pip" / "pip" / "__main__.py").write_text("while True: pass")

    with pytest.raises(RuntimeNotFound, match=r"could not be asked \(still not done after 0\.2 s\)"):
        runtimes.releases(tmp_path)


def test_index_that_cannot_be_reached_is_why(tmp_path: Path, pip_says: PipSays) -> None:
    tries = (
        f"WARNING: Retrying (Retry(total={left}, connect=None)) after connection broken by "
        "'NameResolutionError(\"HTTPSConnection(host='index.invalid', port=443): Failed to resolve "
        "'index.invalid' ([Errno -2] Name or service not known)\")': /simple/ncnn/\n"
        for left in (1, 0)
    )
    pip_says("", complaint="".join(tries) + "ERROR: No matching distribution found for ncnn", code=1)

    with pytest.raises(RuntimeNotFound, match=r"\(the index did not answer: Failed to resolve 'index\.inv"):
        runtimes.releases(tmp_path)


def test_list_that_cannot_be_kept_is_given_all_the_same(tmp_path: Path, pip_says: PipSays) -> None:
    (tmp_path / "file").touch()
    pip_says(answer(NEW))

    assert runtimes.releases(tmp_path / "file").versions == (NEW,)


def test_pip_itself_tells_the_wheels_that_this_python_can_install(
    tmp_path: Path, make_wheel: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(SUMMER)
    make_wheel(OLD)
    make_wheel("1.0.20270101rc1")
    make_wheel(NEW, tag="cp36-cp36m-win_amd64")
    (tmp_path / "index" / f"ncnn-{WINTER}.tar.gz").touch()
    monkeypatch.setenv("PIP_QUIET", "1")
    # What lies where the user stands is not pip.
    (tmp_path / "pip.py").write_text("raise SystemExit('not me')")
    monkeypatch.chdir(tmp_path)

    assert runtimes.releases(tmp_path / "cache") == Releases((OLD, SUMMER))


@pytest.mark.network
def test_real_index_has_releases(tmp_path: Path) -> None:
    found = runtimes.releases(tmp_path)

    assert not found.note
    assert "1.0.20240820" in found.versions
    assert found.before("1.0.20241226") == "1.0.20240820"
