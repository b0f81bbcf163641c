"""The child does not keep to what it and its parent have agreed on."""

from __future__ import annotations

import pytest

from ncnn_peakmem.measurement import Gauge, OutcomeKind, Phase
from ncnn_peakmem.probe import launcher
from tests.faults.conftest import HANG, Faulty, Measure

WIRE = 3


@pytest.mark.fault(
    "the child answers what is no answer", "`failed`: the answer is shown, and the child killed"
)
@pytest.mark.parametrize(
    "answer",
    [
        *(
            "",
            "hello",
            "ok",
            "ok soon",
            "ok -1",
            "ok 1e9",
            "ok \N{SUPERSCRIPT TWO}",
            "crashed by itself",
            "timed_out",
        ),
        "\x00\x1b[2J",
    ],
)
def test_nonsense(measure: Measure, faulty: Faulty, answer: str) -> None:
    line = f"{answer}\n".encode()
    act = f"posix.write({WIRE}, {line!r}); {HANG}"

    outcome = measure(Gauge.PAGES, faulty(Phase.LOAD_MODEL, act)).outcome

    assert (outcome.kind, outcome.phase) == (OutcomeKind.FAILED, Phase.LOAD_MODEL)
    assert outcome.cause.startswith("the child answered load_model with ")
    assert outcome.cause.isprintable()


@pytest.mark.fault("the child answers before it was asked", "`failed`: none of its answers can be trusted")
@pytest.mark.parametrize("gauge", Gauge)
@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.UNLOAD])
def test_answer_ahead(measure: Measure, faulty: Faulty, gauge: Gauge, phase: Phase) -> None:
    outcome = measure(gauge, faulty(phase, f"posix.write({WIRE}, b'ok 1\\nok 1\\n')")).outcome

    assert outcome.kind is OutcomeKind.FAILED
    assert "the child answered before " in outcome.cause


@pytest.mark.fault("the child answers without an end", "`failed`; what it says is not kept in memory")
@pytest.mark.parametrize("gauge", [Gauge.HEAP, Gauge.PAGES])
def test_answer_without_an_end(measure: Measure, faulty: Faulty, gauge: Gauge) -> None:
    act = f"while True: posix.write({WIRE}, b'x' * 65536)"

    outcome = measure(gauge, faulty(Phase.FIRST, act)).outcome

    assert (outcome.kind, outcome.phase) == (OutcomeKind.FAILED, Phase.FIRST)
    assert outcome.cause == f"the child answered {outcome.cause.split()[3]} without an end"


@pytest.mark.fault("the child hangs up and lives on", "`failed`: it is killed after a short grace")
@pytest.mark.parametrize("gauge", [Gauge.HEAP, Gauge.PAGES])
@pytest.mark.parametrize("phase", [Phase.IMPORT, Phase.STEADY])
def test_hanging_up(
    measure: Measure, faulty: Faulty, monkeypatch: pytest.MonkeyPatch, gauge: Gauge, phase: Phase
) -> None:
    monkeypatch.setattr(launcher, "_DYING_SECONDS", 0.05)

    outcome = measure(gauge, faulty(phase, f"posix.close({WIRE}); {HANG}")).outcome

    assert (outcome.kind, outcome.phase) == (OutcomeKind.FAILED, phase)
    assert outcome.cause.startswith("the child hung up in ")


@pytest.mark.fault("the child closes stdout and stderr", "it is measured as ever")
@pytest.mark.parametrize("gauge", Gauge)
def test_closing_stderr(measure: Measure, faulty: Faulty, gauge: Gauge) -> None:
    reading = measure(gauge, faulty(Phase.LOAD_PARAM, "posix.close(1); posix.close(2)"))

    assert reading.outcome.ok
    assert list(reading.phases) == list(Phase)


@pytest.mark.fault(
    "the child fails with a text that is endless, or of control characters",
    "`failed`; the text is cut, and safe to show",
)
@pytest.mark.parametrize("text", ["'x' * 1_000_000", r"'\x1b[31m\r\x07' * 50"])
def test_cause_is_fit_to_show(measure: Measure, faulty: Faulty, text: str) -> None:
    outcome = measure(Gauge.PAGES, faulty(Phase.LOAD_MODEL, f"raise ValueError({text})")).outcome

    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.cause.startswith("load_model: ValueError: ")
    assert outcome.cause.isprintable()
    assert len(outcome.cause) < 1000


@pytest.mark.fault("the child fails with a text of no encoding", "`crashed`, where it tried to say so")
def test_cause_that_cannot_be_said(measure: Measure, faulty: Faulty) -> None:
    outcome = measure(Gauge.PAGES, faulty(Phase.LOAD_MODEL, r"raise ValueError('\ud800 alone')")).outcome

    assert (outcome.kind, outcome.phase) == (OutcomeKind.CRASHED, Phase.LOAD_MODEL)
    assert "UnicodeEncodeError" in outcome.cause
    assert outcome.cause.isprintable()


@pytest.mark.fault(
    "the child prints control characters before it dies", "`crashed`; its words are safe to show"
)
def test_last_words_are_fit_to_show(measure: Measure, faulty: Faulty) -> None:
    act = "posix.write(2, b'\\x1b[2J\\xff\\x00' * 999 + b'end\\n'); posix.kill(posix.getpid(), 6)"

    outcome = measure(Gauge.PAGES, faulty(Phase.FIRST, act)).outcome

    assert outcome.kind is OutcomeKind.CRASHED
    assert outcome.cause.isprintable()
    assert len(outcome.cause) < 1000


@pytest.mark.fault(
    "the child's folder is removed while it runs", "the process gauges read as ever; `heap` is `failed`"
)
@pytest.mark.parametrize("gauge", Gauge)
def test_folder_is_removed(measure: Measure, faulty: Faulty, gauge: Gauge) -> None:
    act = "for name in posix.listdir('.'): posix.remove(name)\nposix.rmdir(posix.getcwd())"

    outcome = measure(gauge, faulty(Phase.FIRST, act)).outcome

    if gauge is Gauge.HEAP:
        assert outcome.kind is OutcomeKind.FAILED
        assert "the recording of the heap broke off" in outcome.cause
    else:
        assert outcome.ok
