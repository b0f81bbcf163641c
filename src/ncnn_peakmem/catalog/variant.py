"""The networks that an entry of the file stands for: one, or one for each of its labelled input shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


def labels(entry: object) -> tuple[str, ...]:
    """The labels of an entry's input shapes, none where it has but one set of them."""
    shapes = entry.get("input_shapes") if isinstance(entry, dict) else None
    return tuple(shapes) if isinstance(shapes, dict) else ()


def name_of(entry: str, label: str) -> str:
    """The network of that name with the input shapes of that label."""
    return f"{entry}_{label}"


def variants(name: str, entry: object) -> tuple[str, ...]:
    """The networks that an entry stands for."""
    return tuple(name_of(name, label) for label in labels(entry)) or (name,)


def is_named(name: str, entries: Mapping[str, object]) -> bool:
    """Whether a name is that of an entry, or of one of the networks that it stands for."""
    if name in entries:
        return True
    parts = name.split("_")
    splits = (("_".join(parts[:place]), "_".join(parts[place:])) for place in range(1, len(parts)))
    return any(label in labels(entries.get(entry)) for entry, label in splits)


def names(entries: Mapping[str, object]) -> Iterator[str]:
    """All that a grid may name: the entries, each followed by those that it stands for."""
    for name, entry in entries.items():
        yield name
        yield from (name_of(name, label) for label in labels(entry))


def meant(named: str, entries: Mapping[str, object]) -> tuple[str, ...]:
    """The networks that a name in a grid stands for."""
    return variants(named, entries[named]) if named in entries else (named,)
