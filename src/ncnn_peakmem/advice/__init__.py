"""The option matrix turned into advice: what saves a network memory, and at which cost."""

from ncnn_peakmem.advice.advice import Advice, Confirmation
from ncnn_peakmem.advice.advisor import Advisor, Bench, NothingRuns, Place
from ncnn_peakmem.advice.finding import Candidate, Finding
from ncnn_peakmem.advice.goal import Goal, Stretch
from ncnn_peakmem.advice.outlook import foretelling
from ncnn_peakmem.advice.recommendation import Answer, Recommendation, fits
from ncnn_peakmem.advice.search import Outlook, Search
from ncnn_peakmem.advice.space import Setup, Space
from ncnn_peakmem.advice.stopwatches import Rounds
from ncnn_peakmem.advice.timing import Ratio, Timing
from ncnn_peakmem.advice.workbench import Workbench

__all__ = [
    "Advice",
    "Advisor",
    "Answer",
    "Bench",
    "Candidate",
    "Confirmation",
    "Finding",
    "Goal",
    "NothingRuns",
    "Outlook",
    "Place",
    "Ratio",
    "Recommendation",
    "Rounds",
    "Search",
    "Setup",
    "Space",
    "Stretch",
    "Timing",
    "Workbench",
    "fits",
    "foretelling",
]
