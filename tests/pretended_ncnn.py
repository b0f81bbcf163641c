"""A module in place of ncnn that does nothing: all that a probe uses but `Net`, as source text."""

from __future__ import annotations

BUT_NET = """\
import posix, sys, time

class Opt:
    num_threads = 1
class Mat:
    def __init__(self, *shape): pass
    def fill(self, value): pass
    def empty(self): return False
class Extractor:
    def input(self, name, mat): return 0
    def extract(self, name, mat): return 0
DataReaderFromEmpty = object
"""
