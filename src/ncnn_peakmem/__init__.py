"""Peak memory of the ncnn inference engine: measured, judged, explained."""

from importlib.metadata import version

__version__ = version("ncnn-peakmem")
