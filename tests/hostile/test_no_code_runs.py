"""No file from elsewhere is ever run: not by its parser, and not by anything else in the source."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from ncnn_peakmem.catalog import CatalogError, load

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for room in ("src", "fixtures") for path in (ROOT / room).rglob("*.py"))

FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "yaml.load",
    "numpy.load",
}
FORBIDDEN_CALLS |= {"yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "shutil.unpack_archive"}
FORBIDDEN_MODULES = {"pickle", "shelve", "dill", "joblib", "cloudpickle", "runpy", "code", "tarfile"}
# marshal goes between a parent and a child that it started; the module is one of ours by its name, or Pillow.
ALLOWED = {
    "marshal": {
        *("probe/child.py", "probe/job.py", "probe/layer_trace.py", "probe/stepping_ncnn.py"),
        "reliability/witness.py",
    },
    "import_module": {
        *("cli/__init__.py", "networks/topologies.py"),
        "conversion/quantization/data_folder.py",
    },
}


def named(node: ast.expr) -> str:
    """A call's function as it is written, `yaml.load`; empty where that is no plain name."""
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(ast.Name(module), name):
            return f"{module}.{name}"
        case _:
            return ""


def calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]


def modules(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_source_calls_nothing_that_runs_data(path: Path) -> None:
    assert not {named(call.func) for call in calls(path)} & FORBIDDEN_CALLS
    assert not modules(path) & FORBIDDEN_MODULES
    through_a_shell = [word for call in calls(path) for word in call.keywords if word.arg == "shell"]
    assert not through_a_shell


@pytest.mark.parametrize("word", sorted(ALLOWED))
def test_what_reads_code_like_data_is_where_it_is_known_to_be(word: str) -> None:
    users = {
        str(path.relative_to(ROOT / "src" / "ncnn_peakmem"))
        for path in SOURCES
        if word in modules(path) or any(named(call.func).endswith(word) for call in calls(path))
    }
    assert users == ALLOWED[word]


@pytest.mark.parametrize(
    ("call", "keyword", "readers"),
    [
        # Of external data a file names the place, which may be any on this machine.
        ("onnx.load", "load_external_data", ["load_check.py", "onnx_inspection.py"]),
        # An array of objects is a pickle.
        ("np.load", "allow_pickle", ["data_folder.py"]),
    ],
)
def test_a_reader_that_could_do_more_is_told_not_to(call: str, keyword: str, readers: list[str]) -> None:
    reads = [
        (path.name, {word.arg: word.value for word in found.keywords})
        for path in SOURCES
        for found in calls(path)
        if named(found.func) == call
    ]
    assert sorted(name for name, _ in reads) == readers
    for _, words in reads:
        value = words[keyword]
        assert isinstance(value, ast.Constant)
        assert value.value is False


def test_the_parent_never_imports_what_reads_onnx() -> None:
    """onnx, onnxsim and ncnn belong to stages and probes, each a process with limits of its own."""
    children = {"build.py", "onnx_inspection.py", "load_check.py", "bare_script.py", "runner.py"}
    users = {path.name for path in SOURCES if modules(path) & {"onnx", "onnxsim", "ncnn", "google"}}
    builders = {path.name for path in (ROOT / "src/ncnn_peakmem/networks").glob("*.py")}
    assert users - builders == children


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system ['touch RAN']",
        "!!python/name:os.system",
        "!!python/object/new:subprocess.Popen [['touch', 'RAN']]",
        "!<tag:yaml.org,2002:python/object/apply:os.mkdir> [RAN]",
        "!Ref x",
    ],
)
def test_a_tag_in_yaml_makes_nothing(
    hostile_catalog: Callable[[str, str], Path], value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CatalogError, match=r"the tag .* is not allowed"):
        load(hostile_catalog("default_profile: small", f"default_profile: {value}"))
    assert not Path("RAN").exists()
