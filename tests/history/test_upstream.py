from __future__ import annotations

from pathlib import Path

import pytest

from ncnn_peakmem.history import (
    Cause,
    CauseError,
    ChangePoint,
    Concern,
    Direction,
    Evidence,
    Figure,
    causes_of,
    evidence_of,
    load_causes,
)
from ncnn_peakmem.measurement import Gauge, Metric, Phase

FIRST = Figure(Gauge.HEAP, Phase.FIRST, Metric.PEAK)


def change(
    case: str = "resnet18-fp32-light-t1",
    figure: Figure = FIRST,
    more: int = 10,
    previous: str = "1.0.20230101",
    release: str = "1.0.20230301",
    *,
    crept: bool = False,
) -> ChangePoint:
    return ChangePoint(case, figure, release, previous, "1.0.20220101", 100, 100, 100 + more, crept)


def cause(concern: Concern, release: str = "1.0.20230301") -> Cause:
    return Cause(release, "It grows.", Evidence.READ, (concern,), (1,))


def grows(cases: str = "*", **narrower: object) -> Concern:
    return Concern(cases, Direction.MORE, **narrower)  # type: ignore[arg-type]


def test_a_cause_explains_what_it_concerns() -> None:
    assert cause(grows()).explains(change())
    assert cause(grows("resnet*-light-*")).explains(change())
    assert cause(grows(phases=frozenset({Phase.FIRST}), metrics=frozenset({Metric.PEAK}))).explains(change())


@pytest.mark.parametrize(
    "concern",
    [
        Concern("*", Direction.LESS),
        grows("vgg16-*"),
        grows("*-heavy-*"),
        grows(gauge=Gauge.PAGES),
        grows(phases=frozenset({Phase.STEADY})),
        grows(metrics=frozenset({Metric.LIVE})),
    ],
)
def test_a_cause_does_not_explain_what_it_does_not_concern(concern: Concern) -> None:
    assert not cause(concern).explains(change())


@pytest.mark.parametrize(
    ("release", "explained"),
    [
        ("1.0.20230101", False),
        ("1.0.20230102", True),
        ("1.0.20230301", True),
        ("1.0.20230302", False),
    ],
)
def test_a_cause_came_after_the_last_release_with_the_figure(release: str, explained: bool) -> None:
    assert cause(grows(), release).explains(change()) is explained


def test_what_crept_in_may_have_come_since_its_level() -> None:
    early = cause(grows(), "1.0.20220601")
    assert early.explains(change(crept=True))
    assert not early.explains(change())


def test_all_causes_of_a_change_are_found_in_their_order() -> None:
    known = (cause(grows()), cause(Concern("*", Direction.LESS)), cause(grows("resnet*")))
    assert causes_of(change(), known) == (known[0], known[2])


def known_as(evidence: Evidence, *directions: Direction) -> Cause:
    concerns = tuple(Concern("*", direction) for direction in directions)
    return Cause("1.0.20230301", "It moves.", evidence, concerns)


MORE, LESS = Direction.MORE, Direction.LESS


@pytest.mark.parametrize(
    ("causes", "evidence"),
    [
        ([], None),
        ([known_as(Evidence.READ, LESS)], None),
        ([known_as(Evidence.LIKELY, MORE), known_as(Evidence.READ, MORE)], Evidence.READ),
        ([known_as(Evidence.READ, MORE), known_as(Evidence.BISECTED, MORE)], Evidence.BISECTED),
        ([known_as(Evidence.READ, MORE), known_as(Evidence.LIKELY, LESS)], Evidence.READ),
        ([known_as(Evidence.EITHER_WAY, MORE, LESS), known_as(Evidence.LIKELY, MORE)], Evidence.LIKELY),
        # What would explain the opposite as well explains nothing, whatever it is marked as.
        ([known_as(Evidence.EITHER_WAY, MORE, LESS)], Evidence.EITHER_WAY),
        ([known_as(Evidence.READ, MORE, LESS)], Evidence.EITHER_WAY),
        ([known_as(Evidence.READ, MORE), known_as(Evidence.READ, LESS)], Evidence.EITHER_WAY),
        ([known_as(Evidence.LIKELY, MORE), known_as(Evidence.READ, LESS)], Evidence.EITHER_WAY),
    ],
)
def test_evidence_is_the_strongest_that_the_opposite_would_not_have_too(
    causes: list[Cause], evidence: Evidence | None
) -> None:
    assert evidence_of(change(), causes) is evidence


def both_ways(evidence: str, more: str, less: str) -> str:
    return (
        f"- release: 1.0.1\n  told: It.\n  evidence: {evidence}\n  concerns:\n"
        f"    - {{direction: more, {more}}}\n    - {{direction: less, {less}}}\n"
    )


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ("cases: '*'", "cases: '*'"),
        ("cases: '*-heavy-*', phases: [steady, unload]", "cases: '*', phases: [first, steady]"),
        ("cases: 'vgg*', phases: [steady]", "cases: 'vgg16-*', metrics: [peak]"),
    ],
)
def test_claiming_both_ways_has_to_be_marked(tmp_path: Path, more: str, less: str) -> None:
    path = tmp_path / "causes.yaml"
    for evidence in ("bisected", "read", "measured", "likely"):
        path.write_text(both_ways(evidence, more, less))
        with pytest.raises(CauseError, match=r"0: .* both more and less .* either_way") as error:
            load_causes(path)
        assert str(path) in str(error.value)
    path.write_text(both_ways("either_way", more, less))
    assert load_causes(path)[0].evidence is Evidence.EITHER_WAY


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ("cases: '*-heavy-*'", "cases: '*-light-*'"),
        ("cases: '*', phases: [first]", "cases: '*', phases: [steady]"),
        ("cases: '*', metrics: [peak]", "cases: '*', metrics: [live]"),
        ("cases: '*', gauge: pages", "cases: '*'"),
    ],
)
def test_both_ways_for_unlike_figures_is_one_claim_each(tmp_path: Path, more: str, less: str) -> None:
    path = tmp_path / "causes.yaml"
    path.write_text(both_ways("read", more, less))
    assert load_causes(path)[0].evidence is Evidence.READ


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "causes.yaml"
    path.write_text(
        "- {release: 1.0.20230301, told: It grows., evidence: likely, pulls: [7], commits: ['12e4567'],\n"
        "   concerns: [{cases: '*', direction: less, gauge: pages, phases: [first], metrics: [vm_peak]}]}\n"
    )
    (read,) = load_causes(path)
    assert (read.evidence, read.pulls, read.commits) == (Evidence.LIKELY, (7,), ("12e4567",))
    assert read.concerns == (
        Concern("*", Direction.LESS, Gauge.PAGES, frozenset({Phase.FIRST}), frozenset({Metric.VM_PEAK})),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- {release: 1.0.1, told: It., evidence: read}", "0 > concerns: Field required"),
        (
            "- {release: 1.0.1, told: It., evidence: sure, concerns: [{cases: a, direction: more}]}",
            "0 > evidence",
        ),
        (
            "- {release: 1.0.1, told: It., evidence: read, concerns: [{cases: a, way: more}]}",
            "0 > concerns > 0",
        ),
        ("- {release: 1.0.1, told: '', evidence: read, concerns: [{cases: a, direction: more}]}", "0 > told"),
        (
            "- {release: one, told: It., evidence: read, concerns: [{cases: a, direction: more}]}",
            "0 > release",
        ),
        ("- [", "line 1"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "causes.yaml"
    path.write_text(text)
    with pytest.raises(CauseError) as error:
        load_causes(path)
    assert str(path) in str(error.value)
    assert told in str(error.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CauseError, match=r"none\.yaml"):
        load_causes(tmp_path / "none.yaml")


def test_the_shipped_causes_can_be_looked_up_and_hold_no_bytes() -> None:
    causes = load_causes()
    assert {4414, 4966, 5426} <= {pull for cause in causes for pull in cause.pulls}
    for known in causes:
        assert known.told.endswith(".")
        assert not {"KiB", "MiB", "%"} & set(known.told.split())
        assert known.commits or not known.pulls


@pytest.mark.parametrize(
    ("case_id", "release", "phase", "metric", "more", "pull"),
    [
        ("mobilenet_v1-fp32-light-half-q8-t1", "1.0.20230223", Phase.LOAD_MODEL, Metric.PEAK, 1, 4414),
        ("mobilenet_v1-fp32-light-half-q8-t1", "1.0.20231027", Phase.LOAD_MODEL, Metric.PEAK, -1, 4966),
        ("mobilenet_v1-fp32-light-half-q8-t1", "1.0.20240820", Phase.LOAD_MODEL, Metric.PEAK, -1, 5426),
        ("resnet18-fp32-light-half-q8-t1", "1.0.20240820", Phase.STEADY, Metric.PEAK, -1, 5426),
        ("resnet18-fp32-light-half-q8-t1", "1.0.20230223", Phase.LOAD_MODEL, Metric.LIVE, -1, 4456),
        ("vgg16-fp32-heavy-half-q8-t1", "1.0.20240410", Phase.LOAD_MODEL, Metric.LIVE, 1, 5414),
        ("resnet18-int8-light-half-q8-t1", "1.0.20231027", Phase.LOAD_MODEL, Metric.LIVE, 1, 5054),
    ],
)
def test_the_anchors_are_known(
    case_id: str, release: str, phase: Phase, metric: Metric, more: int, pull: int
) -> None:
    figure = Figure(Gauge.HEAP, phase, metric)
    found = causes_of(change(case_id, figure, more, "1.0.20221128", release), load_causes())
    assert pull in {known for cause in found for known in cause.pulls if cause.release == release}
