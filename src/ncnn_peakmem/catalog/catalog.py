"""The catalog as the rest of the suite sees it, and the cases that its profiles span."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ncnn_peakmem.budget import Budget
from ncnn_peakmem.case import Case, OptionChoice, Precision
from ncnn_peakmem.catalog.cover import Cover, Picks
from ncnn_peakmem.catalog.mistake import CatalogError, Mistake, unknown
from ncnn_peakmem.network import Network
from ncnn_peakmem.tolerance import Tolerances


class InId(StrEnum):
    """When an axis shows in a case's id."""

    ALWAYS = "always"
    UNLESS_DEFAULT = "unless_default"


@dataclass(frozen=True, slots=True)
class Axis:
    """An option that can be varied, its choices by label in file order."""

    name: str
    choices: Mapping[str, OptionChoice]
    default: str
    in_id: InId

    @property
    def unvaried(self) -> tuple[OptionChoice, ...]:
        """What the axis contributes to a grid that does not list it."""
        return (self.choices[self.default],) if self.in_id is InId.ALWAYS else ()


@dataclass(frozen=True, slots=True)
class Grid:
    """Networks, each in combinations of precisions, the choices of some axes, and thread counts."""

    networks: tuple[str, ...]
    axes: tuple[str, ...]
    threads: tuple[int, ...] = (1,)
    precisions: tuple[Precision, ...] = (Precision.FP32,)
    cover: Cover = Cover.EVERY

    def precisions_of(self, network: Network) -> tuple[Precision, ...]:
        """Those that the network is run in: that of its files, where no others can be made of them."""
        return self.precisions if network.has_fp32_weights else (network.precision,)


@dataclass(frozen=True, slots=True)
class Profile:
    """A named union of grids."""

    name: str
    grids: tuple[Grid, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """All that `models.yaml` says; mappings keep the order of the file."""

    path: Path
    reference_release: str
    step_timeout_seconds: float
    default_profile: str
    networks: Mapping[str, Network]
    budgets: Mapping[str, Budget]
    """Of every network, empty where the file gives it none."""
    network_tolerances: Mapping[str, Tolerances]
    threaded_tolerances: Mapping[str, Tolerances]
    axes: Mapping[str, Axis]
    profiles: Mapping[str, Profile]

    def cases(self, profile: str) -> tuple[Case, ...]:
        """The profile's cases, each id once; CatalogError names the profiles there are."""
        if profile not in self.profiles:
            raise self._unknown("profile", profile, self.profiles)
        cases: dict[str, Case] = {}
        for grid in self.profiles[profile].grids:
            for case in self._span(grid):
                cases.setdefault(case.id, case)
        return tuple(cases.values())

    def all_case_ids(self) -> frozenset[str]:
        """The ids over all profiles: a baseline of any other id has lost its case."""
        return frozenset(case.id for profile in self.profiles for case in self.cases(profile))

    def network(self, name: str) -> Network:
        """The network of that name; CatalogError names the networks there are."""
        if name not in self.networks:
            raise self._unknown("network", name, self.networks)
        return self.networks[name]

    def tolerances(self, network: str, threads: int) -> Tolerances:
        """The tolerances per gauge of a network's cases with so many threads, its own before the shared ones.

        Those of cases with several threads are never narrower than those of cases with one.
        """
        tolerances = self.network_tolerances if threads == 1 else self.threaded_tolerances
        if network not in tolerances:
            raise self._unknown("network", network, tolerances)
        return tolerances[network]

    def _span(self, grid: Grid) -> Iterator[Case]:
        named = frozenset(grid.networks)
        varied = [tuple(self.axes[name].choices.values()) for name in grid.axes]
        # Ten thousands of cases share some hundred combinations of options.
        options: dict[Picks, tuple[OptionChoice, ...]] = {}
        for network in (network for name, network in self.networks.items() if name in named):
            precisions = grid.precisions_of(network)
            sizes = [len(precisions), *map(len, varied), len(grid.threads)]
            for precision, *picked, threads in grid.cover.picks(sizes):
                place = tuple(picked)
                if place not in options:
                    choices = [choice[pick] for choice, pick in zip(varied, picked, strict=True)]
                    options[place] = self._in_file_order(grid, choices)
                yield Case(network.name, precisions[precision], options[place], grid.threads[threads])

    def _in_file_order(self, grid: Grid, choices: Iterable[OptionChoice]) -> tuple[OptionChoice, ...]:
        """The choices, with what the axes that the grid does not list contribute."""
        place = {name: number for number, name in enumerate(self.axes)}
        unvaried = (
            choice for name, axis in self.axes.items() if name not in grid.axes for choice in axis.unvaried
        )
        return tuple(sorted([*unvaried, *choices], key=lambda choice: place[choice.axis]))

    def _unknown(self, noun: str, name: str, allowed: Mapping[str, object]) -> CatalogError:
        return CatalogError([Mistake(self.path, 0, (), unknown(noun, name, allowed))])
