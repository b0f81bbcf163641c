from __future__ import annotations

from pathlib import Path

import pytest
from packaging.version import Version

from ncnn_peakmem.forecast import Learned, LearnedError, Library
from ncnn_peakmem.forecast.recipe import LoadRecipe, RunRecipe

OLD, NEW = Version("1.0.20221128"), Version("1.0.20261020")
MACHINE, SIBLING = "linux-x86_64-avx512.avx2-l2.1024k-cores.2", "linux-x86_64-fma.avx2-l2.512k-cores.8"
LOAD, RUN = LoadRecipe.parse("r132 | p260 -0"), RunRecipe.parse("b20 .")


def learned(machine: str = MACHINE, release: Version = NEW) -> Learned:
    one = Learned(machine, release).with_network("one", {"a": LOAD, "b": LOAD}, {"c": RUN})
    return one.with_network("two", {"b": LOAD}, {"d": RUN})


def test_file_tells_all(tmp_path: Path) -> None:
    library = Library(tmp_path)
    path = library.store(learned())

    assert library.load(MACHINE, NEW) == learned()
    assert len(path.read_text().splitlines()) == 7


def test_without_a_network_there_is_what_others_taught() -> None:
    left = learned().without_network("one")

    assert set(left.load) == {"b"}
    assert set(left.run) == {"d"}
    assert left.teachers == {"b": {"two"}, "d": {"two"}}


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"schema": 2}', learned().render().replace("b20", "q20"), learned().render()[:-40]],
)
def test_file_that_is_none_is_named(text: str, tmp_path: Path) -> None:
    path = Library(tmp_path).store(learned())
    path.write_text(text)

    with pytest.raises(LearnedError, match=str(path)):
        Library(tmp_path).load(MACHINE, NEW)


def test_nearest(tmp_path: Path) -> None:
    library = Library(tmp_path)
    assert library.nearest(MACHINE, NEW)[0] is None

    for machine, release in ((MACHINE, OLD), (SIBLING, NEW), ("linux-aarch64-asimd", NEW)):
        library.store(learned(machine, release))

    def chosen(machine: str, release: str) -> tuple[str, str, str]:
        found, note = library.nearest(machine, Version(release))
        assert found is not None
        return found.machine, str(found.release), note

    assert chosen(MACHINE, "1.0.20221128") == (MACHINE, "1.0.20221128", "")
    assert chosen(MACHINE, "1.0.20240102") == (
        MACHINE,
        "1.0.20221128",
        "recipes are known of ncnn 1.0.20221128: they count where there is no rule",
    )
    assert chosen(MACHINE, "1.0.20200101")[1] == "1.0.20221128"
    other = chosen("linux-x86_64-avx512.avx2-l2.2048k-cores.2", "1.0.20221128")
    assert other[0] == MACHINE
    assert MACHINE in other[2]
    assert library.nearest("linux-riscv64-base", NEW)[0] is None


def test_what_comes_with_the_package_can_be_used() -> None:
    library = Library()
    for machine in library.machines():
        for release in library.releases(machine):
            found = library.load(machine, release)
            assert (found.machine, found.release) == (machine, release)
            assert library.path(machine, release).stat().st_size < 200_000
