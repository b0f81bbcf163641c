"""The campaign: identical probes that must stay green, and growth that must turn them red, counted."""

from ncnn_peakmem.reliability.campaign.campaign import LOOPS, Campaign
from ncnn_peakmem.reliability.campaign.data_file import CampaignError, DataFile, Record
from ncnn_peakmem.reliability.campaign.load import LoadEnded
from ncnn_peakmem.reliability.campaign.plan import Block, Plan, Task
from ncnn_peakmem.reliability.campaign.tally import GaugeCount, IdenticalCount, InjectedCount, Tally
from ncnn_peakmem.reliability.campaign.trial import Anchor, Part, Setting, Subject, Trial

__all__ = [
    "LOOPS",
    "Anchor",
    "Block",
    "Campaign",
    "CampaignError",
    "DataFile",
    "GaugeCount",
    "IdenticalCount",
    "InjectedCount",
    "LoadEnded",
    "Part",
    "Plan",
    "Record",
    "Setting",
    "Subject",
    "Tally",
    "Task",
    "Trial",
]
