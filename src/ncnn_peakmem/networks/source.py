"""The source that a network is laid out by: files of this package, and what they import from it."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

_FOLDER = Path(__file__).parent


def digest(*modules: str) -> str:
    """Give the sha256 (hex) of modules of this package, and of all in it that they import, in turn."""
    contents: dict[str, bytes] = {}
    pending = list(modules)
    while pending:
        module = pending.pop()
        if module not in contents:
            contents[module] = (_FOLDER / f"{module}.py").read_bytes()
            pending.extend(_imported(contents[module]))
    return hashlib.sha256(b"".join(contents[module] for module in sorted(contents))).hexdigest()


def _imported(content: bytes) -> list[str]:
    package = f"{__package__}."
    named = (node.module or "" for node in ast.walk(ast.parse(content)) if isinstance(node, ast.ImportFrom))
    return [module.removeprefix(package) for module in named if module.startswith(package)]
