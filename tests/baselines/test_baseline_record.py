from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from ncnn_peakmem.baselines.record import SCHEMA, BaselineError, parse, render
from ncnn_peakmem.measurement import Gauge, Measurement, MeasurementSet, Metric, Outcome, OutcomeKind, Phase

PATH = Path("baselines/class/1.0.20240410.json")
_CASES: TypeAdapter[dict[str, Measurement]] = TypeAdapter(dict[str, Measurement])


def test_what_was_written_reads_back_equal(measured: MeasurementSet) -> None:
    assert parse(render(measured), PATH) == measured


def test_only_judged_metrics_are_kept(measured: MeasurementSet) -> None:
    case = measured.cases["vgg16-fp32-t1"]
    pages = case.readings[Gauge.PAGES]
    phases = {phase: {**metrics, Metric.VM_RSS: 7} for phase, metrics in pages.phases.items()}
    noisy = replace(case, readings={**case.readings, Gauge.PAGES: replace(pages, phases=phases)})
    written = render(replace(measured, cases={**measured.cases, case.case: noisy}))
    assert parse(written, PATH) == measured


def test_one_number_a_line_in_an_order_that_never_moves(measured: MeasurementSet) -> None:
    backwards = _CASES.validate_python(_backwards(_CASES.dump_python(dict(measured.cases), mode="json")))
    assert list(backwards) != list(measured.cases)
    text = render(measured).decode()
    assert render(replace(measured, cases=backwards)).decode() == text
    assert text.index('"alexnet') < text.index('"vgg16')
    assert text.index('"import"') < text.index('"load_model"', text.index('"pages"'))
    assert text.endswith("}\n")
    assert not text.endswith("\n\n")
    figures = [line.strip() for line in text.splitlines() if re.search(r'"(peak|live)"', line)]
    assert figures[:2] == ['"peak": 26600001,', '"live": 17000000']


def _backwards(tree: Any) -> Any:
    """The same data with the keys of every level in reverse order."""
    return {key: _backwards(tree[key]) for key in reversed(tree)} if isinstance(tree, dict) else tree


def test_ok_is_one_word_and_no_caveats_are_no_line(measured: MeasurementSet) -> None:
    document = json.loads(render(measured))
    heap, pages = document["cases"]["vgg16-fp32-t1"]["readings"].values()
    assert heap["outcome"] == "ok"
    assert "caveats" not in heap
    assert pages["outcome"] == {"kind": "crashed", "cause": 'SIGSEGV in "conv\\1" ✗', "phase": "first"}
    assert pages["caveats"] == ["thp_on", "aslr_on"]


def test_stray_bytes_in_a_cause_do_not_lose_the_figures(measured: MeasurementSet) -> None:
    case = measured.cases["alexnet-int8-t1"]
    outcome = Outcome(OutcomeKind.FAILED, "layer \udcff unknown")
    odd = Measurement(
        case.case, case.model, {Gauge.HEAP: replace(case.readings[Gauge.HEAP], outcome=outcome)}
    )
    read = parse(render(replace(measured, cases={odd.case: odd})), PATH)
    assert read.cases[odd.case].outcome.cause == "layer ? unknown"


NCNN = '  "ncnn": "1.0.20240410",\n'


@pytest.mark.parametrize(
    ("sound", "spoilt", "message", "line_has"),
    [
        (NCNN, f"<<<<<<< HEAD\n{NCNN}=======\n{NCNN}>>>>>>> theirs\n", "merge-conflict markers", "<<<<<<<"),
        ('"schema": 1', f'"schema": {SCHEMA + 1}', "newer ncnn-peakmem; upgrade", "schema"),
        ('"schema": 1', '"schema": 0', "schema: Input should be greater", "schema"),
        ('"schema": 1,\n', "", "schema: Field required", "{"),
        ('"vgg16-fp32-t1"', '"alexnet-int8-t1"', "the key 'alexnet-int8-t1' twice", "alexnet"),
        ('"model": "digest-2"', '"odel": "x"', "model: Field required", "alexnet"),
        ('"model": "digest-1"', '"model": ""', "at least 1 character", "model"),
        ('"loops": 1,', '"loops": 1, "lops": 1,', "lops: Extra inputs", "lops"),
        ('"libc"', '"glibc"', "libc: Field required|libc: Missing required", "machine"),
        ("150000000", "-1", "pages > phases > import > vm_peak: Input should be greater", '"vm_peak": -1'),
        ("150000000", "1" + 15 * "0", "vm_peak: Input should be less than or equal", "1" + 15 * "0"),
        ("150000000", "1" * 5000, "not a baseline", None),
        ("150000000", "1.5", "valid integer", "1.5"),
        ("150000000", "true", "valid integer", "true"),
        ("150000000", "NaN", "vm_peak: ", "NaN"),
        ('"first": {', '"fist": {', "fist", None),
        ('"rss_anon": 0', '"peak": 0', "pages has no peak", "readings"),
        ('"thp_on"', '"tph_on"', "'tph_on' is not a caveat", "caveats"),
        ('"crashed"', '"crushed"', "kind: Input should be 'ok'", "crushed"),
    ],
)
def test_a_spoilt_file_is_named_with_its_line_and_its_fault(
    measured: MeasurementSet, sound: str, spoilt: str, message: str, line_has: str | None
) -> None:
    text = render(measured).decode()
    assert sound in text
    text = text.replace(sound, spoilt)
    with pytest.raises(BaselineError, match=message) as caught:
        parse(text.encode(), PATH)
    assert str(caught.value).startswith(str(PATH))
    if line_has is not None:
        assert caught.value.line is not None
        assert line_has in text.splitlines()[caught.value.line - 1]
        assert f"{PATH}:{caught.value.line}: " in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "cut short"), ("[]", "object was expected"), ("[" * 100_000, "not a baseline"), ("3", "object")],
)
def test_what_is_something_else_is_no_baseline(text: str, message: str) -> None:
    with pytest.raises(BaselineError, match=message):
        parse(text.encode(), PATH)


def test_a_file_cut_short_names_the_line_where_it_ends(measured: MeasurementSet) -> None:
    text = render(measured).decode()
    cut = text[: text.index('"live"')]
    with pytest.raises(BaselineError, match="cut short") as caught:
        parse(cut.encode(), PATH)
    assert caught.value.line == len(cut.splitlines())


def test_binary_is_no_baseline() -> None:
    with pytest.raises(BaselineError, match="UTF-8") as caught:
        parse(b"{\n\xff", PATH)
    assert caught.value.line == 2


def test_a_case_that_stands_twice_is_found_in_its_second_place(measured: MeasurementSet) -> None:
    text = render(measured).decode()
    line = 1 + text[: text.index('"vgg16-fp32-t1"')].count("\n")
    with pytest.raises(BaselineError) as caught:
        parse(text.replace("vgg16-fp32-t1", "alexnet-int8-t1").encode(), PATH)
    assert caught.value.line == line


def test_a_duplicate_in_a_deep_place_is_still_refused(measured: MeasurementSet) -> None:
    document: dict[str, Any] = json.loads(render(measured))
    text = json.dumps(document).replace('"peak": 26600001', '"peak": 1, "peak": 26600001', 1)
    with pytest.raises(BaselineError, match="'peak' twice"):
        parse(text.encode(), PATH)


def test_a_case_without_readings_is_refused(measured: MeasurementSet) -> None:
    empty = Measurement("vgg16-fp32-t1", "digest-1", {})
    with pytest.raises(BaselineError, match="no readings"):
        parse(render(replace(measured, cases={empty.case: empty})), PATH)


def test_a_phase_that_read_nothing_is_kept(measured: MeasurementSet) -> None:
    case = measured.cases["alexnet-int8-t1"]
    heap = replace(case.readings[Gauge.HEAP], phases={Phase.IMPORT: {}})
    bare = replace(measured, cases={case.case: replace(case, readings={Gauge.HEAP: heap})})
    assert parse(render(bare), PATH) == bare
