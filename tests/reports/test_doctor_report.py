"""A diagnosis on a screen, and as a document."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from rich.console import Console

from ncnn_peakmem.baselines import VerdictKind
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import Gauge, Metric, Phase
from ncnn_peakmem.reliability.cost import Cost
from ncnn_peakmem.reliability.diagnosis import Diagnosis
from ncnn_peakmem.reliability.finding import Finding, State
from ncnn_peakmem.reliability.machine_facts import MachineFact
from ncnn_peakmem.reliability.repetition import Spread
from ncnn_peakmem.reliability.resolution import Resolution
from ncnn_peakmem.reports import doctor

KIB = 1024
DENIED = Finding("aslr", State.DEGRADED, "on: refused [EPERM]", "30 KiB of noise", "allow it")


@pytest.fixture
def diagnosis() -> Diagnosis:
    return Diagnosis(
        ncnn="1.0.20261020",
        machine=MachineClass("x86_64", ("avx512",), 1 << 20, 2, 4096, "glibc2.36"),
        facts=(MachineFact("page", "page.4k", "sysconf"),),
        findings=(Finding("aslr", State.OK, "off in the child"),),
        repeats=5,
        tolerances="those of models.yaml",
        spreads=(
            Spread(Gauge.PAGES, 1, Metric.VM_PEAK, Phase.STEADY, 800 * KIB, 804 * KIB, 16 * KIB),
            Spread(Gauge.PAGES, 2, Metric.VM_PEAK, Phase.FIRST, 900 * KIB, 900 * KIB, 32 * KIB),
        ),
        resolutions=(
            Resolution(Gauge.HEAP, Phase.LOAD_MODEL, 0, 512, 512),
            Resolution(Gauge.HEAP, Phase.STEADY, 0, 512, 512),
            Resolution(Gauge.PAGES, Phase.LOAD_MODEL, 16 * KIB, 32 * KIB, 16 * KIB),
            Resolution(Gauge.PAGES, Phase.STEADY, 16 * KIB, 32 * KIB, 32 * KIB),
            Resolution(Gauge.DEPLOYED, Phase.LOAD_MODEL, 16 << 20, 32 << 20, None),
            Resolution(Gauge.DEPLOYED, Phase.STEADY, 16 << 20, 32 << 20, None),
        ),
        costs=(Cost(Gauge.PAGES, 0.21, 0.20, 1.05), Cost(Gauge.HEAP, 0.5, 0.20, 2.5)),
    )


def shown(diagnosis: Diagnosis, width: int = 100) -> list[str]:
    console = Console(width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(doctor.render(diagnosis))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_diagnosis_reads_from_controls_to_what_they_come_to(diagnosis: Diagnosis) -> None:
    assert shown(diagnosis) == [
        "ncnn 1.0.20261020 on",
        "linux-x86_64-avx512-l2.1024k-cores.2-page.4k-glibc2.36",
        "",
        "Controls  asked of a real child",
        "  ok  aslr  off in the child",
        "",
        "Machine class  each part, and where it was read",
        "  page  page.4k  sysconf",
        "",
        "Noise  5 identical probes, net of the floor, where they differ most",
        "      gauge  metric    1 thread   spread  tolerance  2 threads  spread  tolerance",
        "  ok  pages  vm_peak  804.0 KiB  4.0 KiB   16.0 KiB  900.0 KiB     0 B   32.0 KiB",
        "",
        "Resolution  the smallest buffer of those tried that turns the gate red, if held from",
        "      gauge             load_model on            steady on  tolerance",
        "  ok  heap                      512 B                512 B        0 B",
        "  ok  pages                  16.0 KiB             32.0 KiB   16.0 KiB",
        "  ok  deployed    none up to 4.00 MiB  none up to 4.00 MiB  16.00 MiB",
        "",
        "Cost  a probe beside a plain script with as many loops",
        "  pages  1.05 times  0.21 s against 0.20 s",
        "  heap   2.50 times  0.50 s against 0.20 s",
        "",
        "So  same release, tolerances are those of models.yaml",
        "  heap: a regression of 512 B is seen",
        "  pages: a regression of 32.0 KiB is seen",
        "  deployed: nothing up to 4.00 MiB is seen; its tolerance is 16.00 MiB, and more was not tried",
        "  figures of this machine can be trusted as documented",
    ]


def test_what_is_off_comes_with_its_meaning_and_a_remedy(diagnosis: Diagnosis) -> None:
    told = shown(replace(diagnosis, findings=(DENIED,)))

    place = told.index("  degraded  aslr  on: refused [EPERM]")
    assert [line.strip() for line in told[place + 1 : place + 3]] == ["30 KiB of noise", "to do: allow it"]
    assert told[-1] == "  1 thing off: figures are not as documented until that is seen to"


def test_noise_beyond_the_tolerance_is_told_with_the_gauge(diagnosis: Diagnosis) -> None:
    noisy = replace(diagnosis.spreads[0], highest=832 * KIB)

    told = shown(replace(diagnosis, spreads=(noisy,)))

    assert "  degraded  pages  vm_peak  832.0 KiB  32.0 KiB   16.0 KiB" in told
    assert any("identical probes differ by 32.0 KiB" in line for line in told if "pages:" in line)


def test_gauge_blind_beyond_its_tolerance_is_told(diagnosis: Diagnosis) -> None:
    blind = Resolution(Gauge.PAGES, Phase.LOAD_MODEL, 16 * KIB, 32 * KIB, None)

    told = shown(replace(diagnosis, resolutions=(blind,)))

    assert "  pages: a regression of 4.00 MiB is not seen, though the tolerance is 16.0 KiB" in told


def test_what_is_told_of_a_tolerance_near_the_largest_size_is_what_its_state_says(
    diagnosis: Diagnosis,
) -> None:
    near = Resolution(Gauge.PAGES, Phase.STEADY, 3 << 20, 6 << 20, None)

    told = shown(replace(diagnosis, resolutions=(near,)))

    assert near.state is State.OK
    assert (
        "  pages: nothing up to 4.00 MiB is seen; its tolerance is 3.00 MiB, and more was not tried" in told
    )


def test_control_that_goes_red_is_told_in_place_of_a_size(diagnosis: Diagnosis) -> None:
    noisy = Resolution(Gauge.PAGES, Phase.STEADY, 0, 512, None, VerdictKind.REGRESSED)

    told = shown(replace(diagnosis, resolutions=(noisy,)))

    assert any(line.startswith("  degraded  pages") and "regressed without" in line for line in told)
    assert "  pages: the control itself goes red: a build that holds nothing more is judged regressed" in told


def test_nothing_of_a_note_makes_figures_less_trusted(diagnosis: Diagnosis) -> None:
    noted = replace(diagnosis, findings=(replace(DENIED, state=State.NOTE),))

    assert noted.trusted
    assert shown(noted)[-1] == "  figures of this machine can be trusted as documented"


def test_one_thing_off_anywhere_is_enough(diagnosis: Diagnosis) -> None:
    noisy = replace(diagnosis.spreads[0], highest=1 << 30)
    blind = replace(diagnosis.resolutions[0], seen=None)

    assert diagnosis.trusted
    assert not replace(diagnosis, findings=(*diagnosis.findings, DENIED)).trusted
    assert not replace(diagnosis, spreads=(*diagnosis.spreads, noisy)).trusted
    assert not replace(diagnosis, resolutions=(*diagnosis.resolutions, blind)).trusted


def test_document_has_all_of_it(diagnosis: Diagnosis) -> None:
    document = json.loads(doctor.to_json(diagnosis))

    assert document["schema"] == doctor.SCHEMA
    assert (document["trusted"], document["state"]) == (True, "ok")
    assert document["machine_class"] == diagnosis.machine.id
    assert document["findings"][0] == {
        "name": "aslr",
        "state": "ok",
        "found": "off in the child",
        "meaning": "",
        "advice": "",
    }
    assert document["spreads"][0]["lowest"] == 800 * KIB
    assert document["resolutions"][4] == {
        "gauge": "deployed",
        "phase": "load_model",
        "tolerance": 16 << 20,
        "stated": 32 << 20,
        "seen": None,
        "control": "same",
        "state": "ok",
    }
    assert [cost["ratio"] for cost in document["costs"]] == [1.05, 2.5]
