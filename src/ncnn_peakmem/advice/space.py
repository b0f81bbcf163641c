"""What may be varied of a network: its precision, ncnn's options, threads. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ncnn_peakmem.case import Case, OptionChoice, Precision
from ncnn_peakmem.catalog import Axis

Change = tuple[str, str]
"""An axis, and the label of its choice that takes the place of the default."""


@dataclass(frozen=True, slots=True)
class Setup:
    """One point of a space; `changes` are in the order of the axes, each of another axis."""

    precision: Precision
    threads: int
    changes: tuple[Change, ...] = ()

    @property
    def axes(self) -> frozenset[str]:
        """The axes that are not at their default."""
        return frozenset(axis for axis, _ in self.changes)


@dataclass(frozen=True, slots=True)
class Space:
    """All setups of a network: the first precision and thread count are its own, the others changes.

    `axes` are all of a catalog, of which those in `varied` may leave their default.
    """

    network: str
    precisions: tuple[Precision, ...]
    threads: tuple[int, ...]
    axes: Mapping[str, Axis]
    varied: tuple[str, ...]

    @property
    def origin(self) -> Setup:
        """Everything at its default."""
        return self.default(self.precisions[0])

    def default(self, precision: Precision) -> Setup:
        """Everything but the precision at its default."""
        return Setup(precision, self.threads[0])

    def steps(self, setup: Setup) -> Iterator[Setup]:
        """Every setup that has one change more: an option's, or another number of threads."""
        for axis in self.varied:
            if axis in setup.axes:
                continue
            for label in self.axes[axis].choices:
                if label != self.axes[axis].default and self._joins(setup, axis, label):
                    yield self.changed(setup, (axis, label))
        if setup.threads == self.threads[0]:
            yield from (replace(setup, threads=count) for count in self.threads[1:])

    def parts(self, setup: Setup) -> tuple[Setup, ...]:
        """The setups of the same precision that have one of its changes each."""
        base = self.default(setup.precision)
        alone = tuple(self.changed(base, change) for change in setup.changes)
        return alone if setup.threads == base.threads else (*alone, replace(base, threads=setup.threads))

    def changed(self, setup: Setup, *changes: Change) -> Setup:
        """The setup with changes of further axes."""
        place = {axis: number for number, axis in enumerate(self.axes)}
        joined = sorted({*setup.changes, *changes}, key=lambda change: place[change[0]])
        return replace(setup, changes=tuple(joined))

    def distance(self, setup: Setup) -> int:
        """How many things are other than at the origin."""
        origin = self.origin
        moved = (setup.precision != origin.precision) + (setup.threads != origin.threads)
        return moved + len(setup.changes)

    def case(self, setup: Setup) -> Case:
        """The setup as a case, with the id that a profile would give it."""
        changed = dict(setup.changes)
        options: list[OptionChoice] = []
        for name, axis in self.axes.items():
            options += (axis.choices[changed[name]],) if name in changed else axis.unvaried
        return Case(self.network, setup.precision, tuple(options), setup.threads)

    def flags(self, setup: Setup) -> dict[str, bool]:
        """The flags of `ncnn.Net().opt` that the changes set to what they are not by default."""
        return {flag: value for change in setup.changes for flag, value in self._turned(change).items()}

    def words(self, setup: Setup) -> str:
        """The changes in words, such as `int8 weights, winograd43 off`; `default` where there is none."""
        origin = self.origin
        told = [f"{setup.precision} weights"] if setup.precision != origin.precision else []
        told += [self._in_words(change) for change in setup.changes]
        if setup.threads != origin.threads:
            told.append("1 thread" if setup.threads == 1 else f"{setup.threads} threads")
        return ", ".join(told) or "default"

    def _joins(self, setup: Setup, axis: str, label: str) -> bool:
        """Whether a choice sets no flag that a change has set already."""
        taken = {flag for name, chosen in setup.changes for flag in self.axes[name].choices[chosen].flags}
        return not taken & self.axes[axis].choices[label].flags.keys()

    def _turned(self, change: Change) -> dict[str, bool]:
        axis = self.axes[change[0]]
        usual = axis.choices[axis.default].flags
        chosen = axis.choices[change[1]].flags
        return {flag: value for flag, value in chosen.items() if usual.get(flag) is not value}

    def _in_words(self, change: Change) -> str:
        axis = self.axes[change[0]]
        turned = self._turned(change)
        whole = turned.keys() == axis.choices[axis.default].flags.keys()
        if len(turned) > 1 and whole and len(set(turned.values())) == 1:
            return f"{change[0]} {_switch(next(iter(turned.values())))}"
        return " and ".join(f"{_short(flag)} {_switch(value)}" for flag, value in turned.items()) or change[1]


def _short(flag: str) -> str:
    return flag.removeprefix("use_").removesuffix("_convolution").replace("_", " ")


def _switch(value: bool) -> str:
    return "on" if value else "off"
