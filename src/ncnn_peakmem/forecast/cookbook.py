"""Where recipes come from: learned if the very same layer was, else computed."""

from __future__ import annotations

from collections.abc import Sequence

from ncnn_peakmem.forecast import computed
from ncnn_peakmem.forecast.key import load_key, run_key
from ncnn_peakmem.forecast.learned import Learned
from ncnn_peakmem.forecast.recipe import LoadRecipe, RunRecipe
from ncnn_peakmem.forecast.setting import Setting
from ncnn_peakmem.graph.graph import Node
from ncnn_peakmem.param_file import Layer


class Cookbook:
    """Recipes for layers in a setting; each comes with whether it was learned.

    What was learned elsewhere, of another release or class of machines, counts less than a rule: it is taken
    for the types of layers alone that there is no rule for.
    """

    def __init__(self, learned: Learned | None, setting: Setting) -> None:
        self.setting = setting
        self._learned = learned
        self._is_of_here = (
            learned is not None
            and learned.machine == setting.machine.id
            and learned.release == setting.release
        )

    def load(self, layer: Layer) -> tuple[LoadRecipe, bool]:
        """What loading a layer takes."""
        learned = self._learned_of(layer.type)
        known = learned.load.get(load_key(layer, self.setting)) if learned else None
        return (known, True) if known is not None else (computed.load(layer, self.setting), False)

    def run(self, node: Node, packs: Sequence[int], *, shared: bool) -> tuple[RunRecipe, bool]:
        """What running a layer takes; `packs` and `shared` as in `run_key`."""
        learned = self._learned_of(node.type)
        known = learned.run.get(run_key(node, packs, self.setting, shared=shared)) if learned else None
        if known is not None:
            return known, True
        return computed.run(node, packs, self.setting, shared=shared), False

    def _learned_of(self, kind: str) -> Learned | None:
        return self._learned if self._is_of_here or kind not in computed.CHECKED else None
