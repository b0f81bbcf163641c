"""Many releases: measured once each, and what changed between them."""

from ncnn_peakmem.history.axis_effect import (
    NO_LABEL,
    Axis,
    AxisEffect,
    Difference,
    axis_effects,
    differences,
)
from ncnn_peakmem.history.change_point import (
    ChangePoint,
    ModelChange,
    OutcomeChange,
    Standing,
    change_points,
    model_changes,
    outcome_changes,
    standing,
)
from ncnn_peakmem.history.echo import is_echo
from ncnn_peakmem.history.fold import Fold, fold_alike, fold_cases
from ncnn_peakmem.history.movement import Movement, movements
from ncnn_peakmem.history.product import Product, products
from ncnn_peakmem.history.timeline import FIGURES, PEAKS, Figure, History, Point, Series
from ncnn_peakmem.history.upstream import (
    Cause,
    CauseError,
    Concern,
    Direction,
    Evidence,
    causes_of,
    evidence_of,
    load_causes,
)

__all__ = [
    "FIGURES",
    "NO_LABEL",
    "PEAKS",
    "Axis",
    "AxisEffect",
    "Cause",
    "CauseError",
    "ChangePoint",
    "Concern",
    "Difference",
    "Direction",
    "Evidence",
    "Figure",
    "Fold",
    "History",
    "ModelChange",
    "Movement",
    "OutcomeChange",
    "Point",
    "Product",
    "Series",
    "Standing",
    "axis_effects",
    "causes_of",
    "change_points",
    "differences",
    "evidence_of",
    "fold_alike",
    "fold_cases",
    "is_echo",
    "load_causes",
    "model_changes",
    "movements",
    "outcome_changes",
    "products",
    "standing",
]
