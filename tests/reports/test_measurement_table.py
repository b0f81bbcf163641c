from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from ncnn_peakmem.measurement import Caveat, Gauge, Measurement, Metric, Outcome, OutcomeKind, Phase
from ncnn_peakmem.reports.measurement_table import tables


def shown(measurement: Measurement) -> list[str]:
    console = Console(width=110, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(tables(measurement))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_measurement_as_tables(measurement: Measurement) -> None:
    assert shown(measurement) == [
        "mobilenet_v1-fp32-light-half-q8-t1  (model digest)",
        "",
        "heap  ok, 12 loops, settled at 3",
        "phase        peak        live",
        "first  *25.00 MiB  *25.00 MiB",
        "",
        "pages  ok, 12 loops, settled at 3",
        "phase       vm_peak         net    rss_anon        net",
        "import   150.00 MiB       floor  *10.00 MiB      floor",
        "first   *175.00 MiB  *25.00 MiB    9.00 MiB  -1.00 MiB",
        "",
        f"caveat: {Caveat.ASLR_ON.advice}",
    ]


def test_what_is_not_judged_is_not_shown(measurement: Measurement) -> None:
    pages = measurement.readings[Gauge.PAGES]
    phases = {phase: {**metrics, Metric.VM_RSS: 1024} for phase, metrics in pages.phases.items()}
    told = shown(replace(measurement, readings={Gauge.PAGES: replace(pages, phases=phases)}))
    assert told[3].split() == ["phase", "vm_peak", "net", "rss_anon", "net"]


def test_how_a_probe_died_is_shown_as_it_is_told(measurement: Measurement) -> None:
    outcome = Outcome(OutcomeKind.CRASHED, "SIGSEGV in [red]conv[/red]", Phase.LOAD_MODEL)
    heap = replace(measurement.readings[Gauge.HEAP], outcome=outcome, phases={}, loops=1)
    told = shown(replace(measurement, readings={Gauge.HEAP: heap}))
    assert "heap  crashed in load_model: SIGSEGV in [red]conv[/red], 1 loop, settled at 3" in told
