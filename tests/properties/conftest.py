"""Every run tries the same examples, so that nothing is red by luck; whoever looks further says so.

HYPOTHESIS_PROFILE=further tries other examples in each run, a hundred times as many.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None, max_examples=50)
settings.register_profile("further", derandomize=False, deadline=None, database=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
