"""The files of learned recipes under a folder: the package's own, or a user's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from ncnn_peakmem import bounded_file, whole_file
from ncnn_peakmem.forecast.learned import Learned, LearnedError

# The largest of the package's own has 200 kB.
_MOST_BYTES = 16 << 20

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
            text = bounded_file.read(path, _MOST_BYTES).decode()
        except bounded_file.UnreadableFile as error:
            raise LearnedError(f"{path}: {error}") from error
        except UnicodeDecodeError as error:
            raise LearnedError(f"{path}: cannot be read: {error}") from error
        return Learned.parse(text, str(path))

    def store(self, learned: Learned) -> Path:
        """Write a file of recipes, whole; `OSError`, and the file as it was, where that cannot be."""
        path = self.path(learned.machine, learned.release)
        path.parent.mkdir(parents=True, exist_ok=True)
        whole_file.write(path, learned.render().encode())
        return path

    def machines(self) -> tuple[str, ...]:
        """The machine classes that there are recipes of."""
        return tuple(sorted(path.name for path in self.folder.glob("*") if any(path.glob("*.json"))))

    def releases(self, machine: str) -> tuple[Version, ...]:
        """The releases that there are recipes of for a machine class, oldest first.

        `LearnedError` where a file's name is no release.
        """
        return tuple(sorted(map(_release, (self.folder / machine).glob("*.json"))))

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


def _release(path: Path) -> Version:
    try:
        return Version(path.stem)
    except InvalidVersion as error:
        raise LearnedError(f"{path}: its name is no release of ncnn, such as 1.0.20240820.json") from error


def _common(one: str, other: str) -> int:
    """How many parts two ids have in common; each feature of the processor is one."""
    parts = [set(name.replace("-", ".").split(".")) for name in (one, other)]
    return len(parts[0] & parts[1])
