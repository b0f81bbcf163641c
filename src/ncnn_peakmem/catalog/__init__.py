"""The catalog: `models.yaml` read into networks, option axes, profiles, tolerances and cases."""

from ncnn_peakmem.catalog.catalog import Axis, Catalog, Grid, InId, Profile
from ncnn_peakmem.catalog.cover import Cover
from ncnn_peakmem.catalog.loading import load
from ncnn_peakmem.catalog.mistake import CatalogError, Mistake
from ncnn_peakmem.catalog.options import KNOWN_OPTIONS

__all__ = [
    "KNOWN_OPTIONS",
    "Axis",
    "Catalog",
    "CatalogError",
    "Cover",
    "Grid",
    "InId",
    "Mistake",
    "Profile",
    "load",
]
