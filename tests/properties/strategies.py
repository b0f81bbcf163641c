"""What hypothesis draws: networks, readings, measurements, tolerances."""

from __future__ import annotations

from hypothesis import strategies as st

from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import (
    STORED,
    Caveat,
    Gauge,
    Measurement,
    MeasurementSet,
    Metric,
    Outcome,
    OutcomeKind,
    Phase,
    Reading,
)
from ncnn_peakmem.param_file import Graph, Layer
from ncnn_peakmem.tolerance import GaugeTolerance, Tolerance, Tolerances

WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=12)
"""Words of a `.param`: no white space, any script."""

INTEGERS = st.integers(-(2**31), 2**31 - 1)
# What nine digits tell is all that a `.param` keeps of a float.
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda value: float(f"{value:.8e}"))
NUMBERS = st.one_of(INTEGERS, FLOATS)
STRINGS = st.text(st.characters(codec="utf-8", exclude_characters='"\n'), max_size=40)
PARAMS = st.dictionaries(
    st.integers(0, 31), st.one_of(NUMBERS, STRINGS, st.lists(NUMBERS, max_size=6).map(tuple)), max_size=6
)


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """Networks in which a layer reads what those above it make."""
    layers: list[Layer] = []
    blobs: list[str] = []
    for number in range(draw(st.integers(0, 8))):
        bottoms = draw(st.lists(st.sampled_from(blobs), max_size=3)) if blobs else []
        tops = [f"{number}_{place}_{draw(WORDS)}" for place in range(draw(st.integers(0, 3)))]
        params = draw(PARAMS)
        layers.append(Layer(draw(WORDS), draw(WORDS), tuple(bottoms), tuple(tops), params))
        blobs += tops
    return Graph(tuple(layers))


BYTES = st.integers(0, 2**48)
FINE = Outcome(OutcomeKind.OK)
OUTCOMES = st.one_of(
    st.just(FINE),
    st.builds(
        Outcome,
        st.sampled_from([kind for kind in OutcomeKind if kind is not OutcomeKind.OK]),
        st.text(max_size=30),
        st.one_of(st.none(), st.sampled_from(Phase)),
    ),
)
GAUGES = st.sampled_from(Gauge)


@st.composite
def phases(draw: st.DrawFn, gauge: Gauge, *, whole: bool = False) -> dict[Phase, dict[Metric, int]]:
    """Figures of a gauge, of all its phases if `whole`."""
    reached = list(Phase) if whole else draw(st.lists(st.sampled_from(Phase), unique=True))
    return {phase: {metric: draw(BYTES) for metric in STORED[gauge]} for phase in reached}


@st.composite
def readings(draw: st.DrawFn, gauge: Gauge, *, whole: bool = False) -> Reading:
    """Readings of a gauge; those that are `whole` ended well, and have all figures."""
    return Reading(
        FINE if whole else draw(OUTCOMES),
        draw(phases(gauge, whole=whole)),
        draw(st.integers(0, 2**31)),
        draw(st.integers(0, 2**31)),
        tuple(draw(st.lists(st.sampled_from(Caveat), unique=True))),
    )


CASE_IDS = st.from_regex(r"[a-z][a-z0-9_]{0,8}(-[a-z0-9]{1,5}){0,3}-t[0-9]", fullmatch=True)


@st.composite
def measurements(draw: st.DrawFn, *, case: str = "", whole: bool = False, model: str = "") -> Measurement:
    """Measurements with one gauge at least."""
    gauges = draw(st.lists(GAUGES, min_size=1, unique=True))
    taken = {gauge: draw(readings(gauge, whole=whole)) for gauge in gauges}
    return Measurement(case or draw(CASE_IDS), model or draw(st.sampled_from(["one", "two"])), taken)


MACHINES = st.builds(
    MachineClass,
    st.sampled_from(["x86_64", "aarch64"]),
    st.lists(st.sampled_from(["avx512", "avx2", "f16c"]), unique=True).map(tuple),
    st.integers(0, 2**30),
    st.integers(1, 512),
    st.sampled_from([4096, 16384]),
    st.sampled_from(["glibc2.36", "libc"]),
)


@st.composite
def measurement_sets(draw: st.DrawFn) -> MeasurementSet:
    """What a baseline file holds."""
    cases = {found.case: found for found in draw(st.lists(measurements(), max_size=4))}
    return MeasurementSet("1.0.20261020", draw(MACHINES), cases)


TOLERANCE = st.builds(Tolerance, st.integers(0, 2**30), st.floats(0, 2, allow_nan=False))
TOLERANCES: st.SearchStrategy[Tolerances] = st.fixed_dictionaries(
    {gauge: st.builds(GaugeTolerance, TOLERANCE, TOLERANCE) for gauge in Gauge}
)
