"""The folder that a child works in: its path is in the child's memory, and moves figures with its length.

The loader asks for it where it loads a module by a relative path, and keeps it for each library found from
there.
"""

from __future__ import annotations

import os
from pathlib import Path

from ncnn_peakmem.owned_folder import ScratchFolder

PATH_CHARACTERS = 26
"""The length of its path where stored baselines were read: that of `/tmp/peakmem-work-` and eight more."""

_PLACE = Path("/tmp")  # noqa: S108 - each is the user's own, under a name that nobody can foretell


def working_folder(*, traced: bool) -> ScratchFolder:
    """A new one, below /tmp whatever `TMPDIR` says, so that its path is always as long.

    A traced child leaves a recording in its own, which may be large, and no path moves that: it is among the
    temporary files. So is any where nothing can be written to /tmp.
    """
    fixed = not traced and _PLACE.is_dir() and os.access(_PLACE, os.W_OK | os.X_OK)
    return ScratchFolder(_PLACE if fixed else None)
