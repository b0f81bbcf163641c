"""What a layer does to memory, whichever network it is in: while it is loaded, and while it runs.

As text, a recipe is its steps in order. Of loading: `r3456` takes a block in the role that begins with that
letter, `-0` gives the first of its blocks back, `|` is where all layers have read and packing begins, in the
releases that read all weights first. Of running: `b1204228` asks the blob pool, `w612916` the workspace pool,
`m512` malloc, `-0` gives the first of these back, `.` is where light mode lets go of what the layer has read.
"""

from __future__ import annotations

from dataclasses import dataclass

from ncnn_peakmem.anatomy.loading import Role
from ncnn_peakmem.probe.layer_events import Pool

_ROLES = {role[0]: role for role in Role}
_POOLS: dict[str, Pool | None] = {"b": Pool.BLOB, "w": Pool.WORKSPACE, "m": None}
_LETTERS = {pool: letter for letter, pool in _POOLS.items()}
_LET_GO, _PACKING = ".", "|"


class RecipeError(ValueError):
    """A text that is no recipe."""


@dataclass(frozen=True, slots=True)
class Take:
    """Loading takes a block of so many bytes from malloc."""

    bytes: int
    role: Role


@dataclass(frozen=True, slots=True)
class Ask:
    """Running asks a pool for so many bytes, or malloc if `pool` is None."""

    pool: Pool | None
    bytes: int


@dataclass(frozen=True, slots=True)
class Give:
    """The block of the step that took or asked as the so-manieth one, the first being 0, is given back."""

    number: int


@dataclass(frozen=True, slots=True)
class LetGo:
    """Light mode lets go of the bottoms."""


LoadStep = Take | Give
RunStep = Ask | Give | LetGo


@dataclass(frozen=True, slots=True)
class LoadRecipe:
    """Reading the weights, then packing them; `number` of `Give` counts through both.

    Where each layer packs before the next one reads, all is in `pack`.
    """

    read: tuple[LoadStep, ...] = ()
    pack: tuple[LoadStep, ...] = ()

    def __str__(self) -> str:
        read, pack = (" ".join(map(_written, steps)) for steps in (self.read, self.pack))
        return f"{read} {_PACKING} {pack}".strip() if read else pack

    @staticmethod
    def parse(text: str) -> LoadRecipe:
        """Read what `str` wrote; `RecipeError` where the text is something else."""
        read, parted, pack = text.partition(_PACKING)
        steps = [tuple(map(_load_step, part.split())) for part in (read, pack)]
        recipe = LoadRecipe(*steps) if parted else LoadRecipe((), steps[0])
        _check((*recipe.read, *recipe.pack), text)
        return recipe


@dataclass(frozen=True, slots=True)
class RunRecipe:
    """One inference's share of a layer. What is never given back holds the tops, in their order."""

    steps: tuple[RunStep, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(_written, self.steps))

    @staticmethod
    def parse(text: str) -> RunRecipe:
        """Read what `str` wrote; `RecipeError` where the text is something else."""
        steps = tuple(map(_run_step, text.split()))
        _check(steps, text)
        return RunRecipe(steps)

    @property
    def kept(self) -> tuple[int, ...]:
        """Which of its requests are never given back."""
        given = {step.number for step in self.steps if isinstance(step, Give)}
        asked = [step for step in self.steps if isinstance(step, Ask)]
        return tuple(number for number in range(len(asked)) if number not in given)

    @property
    def asks(self) -> tuple[Ask, ...]:
        """All its requests, in order."""
        return tuple(step for step in self.steps if isinstance(step, Ask))


def _written(step: LoadStep | RunStep) -> str:
    match step:
        case Take(size, role):
            return f"{role[0]}{size}"
        case Ask(pool, size):
            return f"{_LETTERS[pool]}{size}"
        case Give(number):
            return f"-{number}"
        case LetGo():
            return _LET_GO


def _load_step(word: str) -> LoadStep:
    if word[0] in _ROLES:
        return Take(_number(word), _ROLES[word[0]])
    return _give(word)


def _run_step(word: str) -> RunStep:
    if word == _LET_GO:
        return LetGo()
    if word[0] in _POOLS:
        return Ask(_POOLS[word[0]], _number(word))
    return _give(word)


def _give(word: str) -> Give:
    if word[0] != "-":
        raise RecipeError(f"{word!r} is no step of a recipe")
    return Give(_number(word))


def _number(word: str) -> int:
    if not (word[1:].isascii() and word[1:].isdigit()):
        raise RecipeError(f"{word!r} is no step of a recipe: a number belongs behind its first character")
    return int(word[1:])


def _check(steps: tuple[LoadStep | RunStep, ...], text: str) -> None:
    """Each block is given back once at most, and not before it is taken."""
    taken, given = 0, set[int]()
    for step in steps:
        if isinstance(step, Take | Ask):
            taken += 1
        elif isinstance(step, Give):
            if step.number >= taken or step.number in given:
                raise RecipeError(f"{text!r} gives back what it does not have")
            given.add(step.number)
