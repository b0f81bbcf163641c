from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from ncnn_peakmem.measurement import Gauge, Metric
from ncnn_peakmem.probe import working_folder
from tests.probe.conftest import Measure


@pytest.fixture(params=[20, 100, 200])
def far(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary files whose folder has a longer path than /tmp."""
    folder: Path = tmp_path / ("x" * request.param)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_path_is_as_long_wherever_temporary_files_are(far: Path) -> None:
    with working_folder.working_folder(traced=False) as folder:
        assert len(str(folder.path)) == working_folder.PATH_CHARACTERS
        assert not folder.path.is_relative_to(far)


def test_recordings_are_among_the_temporary_files(far: Path) -> None:
    with working_folder.working_folder(traced=True) as folder:
        assert folder.path.parent == far


@pytest.mark.parametrize("place", ["is-not-there", "is-a-file"])
def test_place_that_cannot_be_had_is_done_without(
    far: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "is-a-file").touch(0o755)
    monkeypatch.setattr(working_folder, "_PLACE", tmp_path / place)

    with working_folder.working_folder(traced=False) as folder:
        assert folder.path.parent == far


@pytest.mark.parametrize("metric", [Metric.VM_PEAK, Metric.RSS_ANON])
def test_figures_are_the_same_wherever_temporary_files_are(
    measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metric: Metric
) -> None:
    def figures(folder: Path) -> dict[str, int]:
        folder.mkdir(exist_ok=True)
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        return {phase: metrics[metric] for phase, metrics in measure(Gauge.PAGES).phases.items()}

    near = figures(Path("/tmp"))

    assert figures(tmp_path / ("x" * 200)) == near
