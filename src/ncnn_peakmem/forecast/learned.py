"""Recipes that were learned on one class of machines from one ncnn release, and their file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packaging.version import InvalidVersion, Version

from ncnn_peakmem.forecast.recipe import LoadRecipe, RecipeError, RunRecipe

SCHEMA = 1


class LearnedError(ValueError):
    """A file of recipes that cannot be used; the text names it."""


@dataclass(frozen=True, slots=True)
class Learned:
    """Recipes by key, each with the networks that taught it. `machine` is the id of a machine class."""

    machine: str
    release: Version
    load: Mapping[str, LoadRecipe] = field(default_factory=dict)
    run: Mapping[str, RunRecipe] = field(default_factory=dict)
    teachers: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def with_network(
        self, name: str, load: Mapping[str, LoadRecipe], run: Mapping[str, RunRecipe]
    ) -> Learned:
        """These recipes and those that a network teaches, which win over what was known before."""
        taught = dict(self.teachers)
        for key in (*load, *run):
            taught[key] = taught.get(key, frozenset()) | {name}
        return Learned(self.machine, self.release, {**self.load, **load}, {**self.run, **run}, taught)

    def without_network(self, name: str) -> Learned:
        """What is known without a network: only what others taught as well."""

        def others(key: str) -> bool:
            return self.teachers[key] != {name}

        return Learned(
            self.machine,
            self.release,
            {key: recipe for key, recipe in self.load.items() if others(key)},
            {key: recipe for key, recipe in self.run.items() if others(key)},
            {key: names - {name} for key, names in self.teachers.items() if others(key)},
        )

    def render(self) -> str:
        """The file: JSON, a line a recipe, so that a change of one is a change of a line."""
        names = sorted(set().union(*self.teachers.values()))
        head = {"schema": SCHEMA, "machine": self.machine, "ncnn": str(self.release), "networks": names}
        lines = [json.dumps(head)[:-1]]
        for title, recipes in (("load", self.load), ("run", self.run)):
            rows = [
                json.dumps(
                    [key, str(recipe), sorted(map(names.index, self.teachers[key]))], separators=(",", ":")
                )
                for key, recipe in sorted(recipes.items())
            ]
            lines.append(f', "{title}": [\n' + ",\n".join(rows) + "\n]")
        return "".join(lines) + "}\n"

    @staticmethod
    def parse(text: str, origin: str) -> Learned:
        """Read what `render` wrote; `LearnedError` where the text is something else."""
        try:
            document = json.loads(text)
            if document["schema"] != SCHEMA:
                raise LearnedError(f"{origin}: written in schema {document['schema']}, this reads {SCHEMA}")
            names = document["networks"]
            rows = [*document["load"], *document["run"]]
            return Learned(
                document["machine"],
                Version(document["ncnn"]),
                {key: LoadRecipe.parse(recipe) for key, recipe, _ in document["load"]},
                {key: RunRecipe.parse(recipe) for key, recipe, _ in document["run"]},
                {key: frozenset(names[number] for number in taught) for key, _, taught in rows},
            )
        except (KeyError, IndexError, TypeError, ValueError, InvalidVersion, RecipeError) as error:
            if isinstance(error, LearnedError):
                raise
            raise LearnedError(
                f"{origin}: no file of learned recipes ({type(error).__name__}: {error})"
            ) from error


_OF_THE_PACKAGE = Path(__file__).with_name("recipes")


@dataclass(frozen=True, slots=True)
class Library:
    """Files of recipes under a folder, `<machine class>/<release>.json`; the package's own by default."""

    folder: Path = _OF_THE_PACKAGE

    def path(self, machine: str, release: Version) -> Path:
        """The file of a machine class and a release."""
        return self.folder / machine / f"{release}.json"

    def load(self, machine: str, release: Version) -> Learned:
        """The recipes of a file. `LearnedError` where it cannot be used."""
        path = self.path(machine, release)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise LearnedError(f"{path}: cannot be read: {error}") from error
        return Learned.parse(text, str(path))

    def store(self, learned: Learned) -> Path:
        """Write a file of recipes."""
        path = self.path(learned.machine, learned.release)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(learned.render(), encoding="utf-8")
        return path

    def machines(self) -> tuple[str, ...]:
        """The machine classes that there are recipes of."""
        return tuple(sorted(path.name for path in self.folder.glob("*") if any(path.glob("*.json"))))

    def releases(self, machine: str) -> tuple[Version, ...]:
        """The releases that there are recipes of for a machine class, oldest first."""
        return tuple(sorted(Version(path.stem) for path in (self.folder / machine).glob("*.json")))

    def nearest(self, machine: str, release: Version) -> tuple[Learned | None, str]:
        """The recipes that come nearest, and in words what is not as asked for; None where there is nothing.

        A class of another architecture never does. Of releases the newest that is not newer, else the oldest.
        """
        architecture = machine.split("-")[:2]
        alike = [name for name in self.machines() if name.split("-")[:2] == architecture]
        if not alike:
            return None, f"nothing has been learned on machines of class {machine}, nor any like them"
        chosen = machine if machine in alike else max(alike, key=lambda name: (_common(name, machine), name))
        known = self.releases(chosen)
        older = [version for version in known if version <= release]
        version = older[-1] if older else known[0]
        notes = []
        if chosen != machine:
            notes.append(f"recipes are known of another class of machines, {chosen}")
        if version != release:
            notes.append(f"recipes are known of ncnn {version}")
        return self.load(chosen, version), "; ".join(notes) + (
            ": they count where there is no rule" if notes else ""
        )


def _common(one: str, other: str) -> int:
    """How many parts two ids have in common; each feature of the processor is one."""
    parts = [set(name.replace("-", ".").split(".")) for name in (one, other)]
    return len(parts[0] & parts[1])
