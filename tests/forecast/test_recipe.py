from __future__ import annotations

import pytest

from ncnn_peakmem.anatomy.loading import Role
from ncnn_peakmem.forecast.recipe import Ask, Give, LetGo, LoadRecipe, RecipeError, RunRecipe, Take
from ncnn_peakmem.probe.layer_events import Pool


@pytest.mark.parametrize("text", ["", "b1204228", "w612916 b16 m512 -2 -0 .", "b8 b8 b16 -2 . ", ". b4"])
def test_run_recipe_is_its_text(text: str) -> None:
    assert str(RunRecipe.parse(text)) == text.strip()


def test_run_recipe_says_what_happens() -> None:
    recipe = RunRecipe.parse("w10 b20 . -0")

    assert recipe.steps == (Ask(Pool.WORKSPACE, 10), Ask(Pool.BLOB, 20), LetGo(), Give(0))
    assert recipe.kept == (1,)


@pytest.mark.parametrize("text", ["", "r132 k68", "r132 k68 | c196 p260 -2 -0", "r8 | ", "r132 p260 -0"])
def test_load_recipe_is_its_text(text: str) -> None:
    assert LoadRecipe.parse(str(LoadRecipe.parse(text))) == LoadRecipe.parse(text)


def test_reading_and_packing_are_told_apart() -> None:
    recipe = LoadRecipe.parse("r132 | p260 -0")

    assert recipe.read == (Take(132, Role.READ),)
    assert recipe.pack == (Take(260, Role.PACKED), Give(0))
    assert LoadRecipe.parse("r132 p260 -0").read == ()


@pytest.mark.parametrize("text", ["x12", "b", "b1.5", "-0", "b4 -1", "b4 -0 -0", "b4 -"])
def test_no_recipe(text: str) -> None:
    with pytest.raises(RecipeError):
        RunRecipe.parse(text)
    with pytest.raises(RecipeError):
        LoadRecipe.parse(text.replace("b", "r"))
