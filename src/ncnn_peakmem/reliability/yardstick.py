"""The tolerances that a machine's noise and resolution are held against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ncnn_peakmem.catalog import Catalog
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.tolerance import GaugeTolerance, Tolerance, Tolerances


@dataclass(frozen=True, slots=True)
class Yardstick:
    """Tolerances of cases with one thread and with several, and where they come from."""

    source: str
    single: Tolerances
    several: Tolerances

    def of(self, threads: int) -> Tolerances:
        """The tolerances of cases with so many threads."""
        return self.single if threads == 1 else self.several


_DEPLOYED = Tolerance(16 << 20, 0.15)
_USUAL = {
    Gauge.HEAP: GaugeTolerance(Tolerance(16 << 10, 0.001), Tolerance()),
    Gauge.PAGES: GaugeTolerance(Tolerance(64 << 10, 0.0025), Tolerance(16 << 10)),
    Gauge.DEPLOYED: GaugeTolerance(_DEPLOYED, _DEPLOYED),
}

USUAL = Yardstick("those that ncnn-peakmem comes with", _USUAL, _USUAL)
"""What `models.yaml` of this project says, for use where there is none."""


def from_catalog(catalog: Catalog) -> Yardstick:
    """What a catalog allows most of its networks: the rest have tolerances of their own."""
    return Yardstick(
        f"those of {catalog.path}", _most(catalog.network_tolerances), _most(catalog.threaded_tolerances)
    )


def _most(tolerances: Mapping[str, Tolerances]) -> Tolerances:
    counted = Counter(tuple(sorted(of_one.items())) for of_one in tolerances.values())
    (common, _) = counted.most_common(1)[0]
    return dict(common)
