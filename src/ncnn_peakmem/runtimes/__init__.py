"""ncnn builds: listed, found, installed beside, described. None is ever imported into this process."""

from ncnn_peakmem.runtimes.installation import from_directory, from_release, from_wheel, installed
from ncnn_peakmem.runtimes.known_releases import releases
from ncnn_peakmem.runtimes.release_list import Releases
from ncnn_peakmem.runtimes.resolution import resolve
from ncnn_peakmem.runtimes.runtime import Progress, Runtime, RuntimeNotFound

__all__ = [
    "Progress",
    "Releases",
    "Runtime",
    "RuntimeNotFound",
    "from_directory",
    "from_release",
    "from_wheel",
    "installed",
    "releases",
    "resolve",
]
