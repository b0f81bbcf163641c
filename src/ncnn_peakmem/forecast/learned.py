"""Recipes that were learned on one class of machines from one ncnn release, and their text in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from packaging.version import Version

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
        except (LookupError, TypeError, ValueError, RecursionError, RecipeError) as error:
            if isinstance(error, LearnedError):
                raise
            raise LearnedError(
                f"{origin}: no file of learned recipes ({type(error).__name__}: {error})"
            ) from error
