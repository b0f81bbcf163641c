"""Stored measurements, and how a new one is judged against them."""

from ncnn_peakmem.baselines.comparison import Comparison, compare
from ncnn_peakmem.baselines.judge import fails_anew, judge
from ncnn_peakmem.baselines.overrun import Overrun, overruns
from ncnn_peakmem.baselines.record import BaselineError
from ncnn_peakmem.baselines.store import BaselineStore, Update, read
from ncnn_peakmem.baselines.verdict import Change, Verdict, VerdictKind, in_words, largest_first

__all__ = [
    "BaselineError",
    "BaselineStore",
    "Change",
    "Comparison",
    "Overrun",
    "Update",
    "Verdict",
    "VerdictKind",
    "compare",
    "fails_anew",
    "in_words",
    "judge",
    "largest_first",
    "overruns",
    "read",
]
