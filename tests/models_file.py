"""The text of a models.yaml on the small network, of which a test says what it is about."""

from __future__ import annotations

from collections.abc import Mapping

from ncnn_peakmem.measurement import Gauge

SMALL: Mapping[str, str] = {"small": "small.param"}

ZERO = "{absolute: 0, relative: 0 %}"
EXACT = dict.fromkeys(Gauge, (ZERO, ZERO))
"""No figure may move at all."""
WITH_ROOM: Mapping[Gauge, tuple[str, str]] = {
    Gauge.HEAP: ("{absolute: 16 KiB, relative: 0.1 %}", ZERO),
    Gauge.PAGES: ("{absolute: 64 KiB, relative: 0.25 %}", "{absolute: 16 KiB, relative: 0 %}"),
    Gauge.DEPLOYED: ("{absolute: 4 MiB, relative: 5 %}", "{absolute: 4 MiB, relative: 5 %}"),
}
"""What figures of real releases move by, between releases and within one."""


def models_file(
    profiles: Mapping[str, str],
    *,
    networks: Mapping[str, str] = SMALL,
    reference: str = "1.0.20260526",
    loops: tuple[int, int] = (4, 40),
    tolerances: Mapping[Gauge, tuple[str, str]] = WITH_ROOM,
) -> str:
    """A valid models.yaml: each profile's grid as it stands there, the first one by default.

    Each network is a `.param` beside the file; the axis `lightmode` is light and heavy.
    """
    lines = [
        "schema: 1",
        f"default_profile: {next(iter(profiles))}",
        f"reference_release: {reference}",
        "step_timeout_seconds: 60",
        f"loops: {{minimum: {loops[0]}, maximum: {loops[1]}, settle_factor: 2}}",
        "networks:",
        *(f"  {name}: {{param: {param}}}" for name, param in networks.items()),
        "axes:",
        "  lightmode:",
        "    choices: {light: {lightmode: true}, heavy: {lightmode: false}}",
        "    default: light",
        "    id: always",
        "profiles:",
        *(f"  {name}: [{grid}]" for name, grid in profiles.items()),
        "tolerances:",
    ]
    for gauge, (between, same) in tolerances.items():
        lines += [f"  {gauge}:", f"    between_releases: {between}", f"    same_release: {same}"]
    return "\n".join(lines) + "\n"
