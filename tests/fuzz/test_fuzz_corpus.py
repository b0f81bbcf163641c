"""What the fuzzers kept or once stumbled over, tried again; no fuzzer is needed for that."""

from __future__ import annotations

from pathlib import Path

import pytest

from ncnn_peakmem.param_file import Graph
from tests.fuzz.drawing import Drawing
from tests.fuzz.replay import replay

HERE = Path(__file__).parent
TARGETS = sorted(path.stem for path in (HERE / "targets").glob("*.py"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", TARGETS)
def test_what_was_tried_before_is_read_or_refused(target: str) -> None:
    kept = sorted((HERE / "corpus" / target).iterdir())
    assert kept
    for path in [*kept, *sorted((HERE / "regressions").glob(f"{target}/*"))]:
        try:
            replay(target, path.read_bytes())
        except Exception as error:
            error.add_note(f"python -m tests.fuzz.replay {target} {path.relative_to(HERE.parents[1])}")
            raise


def test_nothing_is_kept_for_a_target_that_is_not_there() -> None:
    assert sorted(path.name for path in (HERE / "corpus").iterdir()) == TARGETS
    assert {path.name for path in (HERE / "regressions").iterdir()} <= set(TARGETS)


def test_the_corpus_is_small() -> None:
    files = [path for path in (HERE / "corpus").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1 << 20
    assert max(path.stat().st_size for path in files) <= 8192


def test_bytes_draw_networks_that_reach_far() -> None:
    """The fuzzers' networks are graphs: not all of them are refused at their first layer."""
    drawn = [Drawing(path.read_bytes()).network()[0] for path in (HERE / "corpus" / "graph").iterdir()]
    assert all(isinstance(network, Graph) for network in drawn)
    assert {layer.type for network in drawn for layer in network.layers} > {"Input", "Concat", "Convolution"}
    assert max(len(network.layers) for network in drawn) > 5
