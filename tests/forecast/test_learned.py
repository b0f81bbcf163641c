from __future__ import annotations

import pytest

from ncnn_peakmem.forecast import Learned, LearnedError
from tests.forecast.conftest import learned


def test_text_tells_all() -> None:
    text = learned().render()

    assert Learned.parse(text, "here") == learned()
    assert len(text.splitlines()) == 7


def test_without_a_network_there_is_what_others_taught() -> None:
    left = learned().without_network("one")

    assert set(left.load) == {"b"}
    assert set(left.run) == {"d"}
    assert left.teachers == {"b": {"two"}, "d": {"two"}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "[" * 100_000,
        '{"schema": 2}',
        learned().render().replace("b20", "q20"),
        learned().render()[:-40],
    ],
    ids=["nothing", "object", "list", "deep", "schema", "recipe", "cut"],
)
def test_text_that_is_none_is_named(text: str) -> None:
    with pytest.raises(LearnedError, match=r"^here: "):
        Learned.parse(text, "here")
