"""The kinds of single values in the file, each with the check that words its own refusal."""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, TypeVar

from packaging.version import Version
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, ValidationInfo

from ncnn_peakmem.case import Precision
from ncnn_peakmem.catalog import variant
from ncnn_peakmem.catalog.catalog import InId
from ncnn_peakmem.catalog.cover import Cover
from ncnn_peakmem.catalog.document import Document
from ncnn_peakmem.catalog.mistake import found, shown, unknown
from ncnn_peakmem.catalog.options import KNOWN_OPTIONS
from ncnn_peakmem.catalog.quantity import fraction, size
from ncnn_peakmem.network import CalibrationMethod
from ncnn_peakmem.networks import TOPOLOGIES

_SCHEMA = 1
_MODEL_DIR = "--peakmem-model-dir (--model-dir of ncnn-peakmem)"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def _one_of(noun: str, allowed: Collection[str], kind: type[str] = str) -> BeforeValidator:
    def check(value: object) -> str:
        if value not in list(allowed):
            raise ValueError(unknown(noun, value, allowed))
        return kind(value)

    return BeforeValidator(check)


def _key_of(section: str, noun: str) -> BeforeValidator:
    def check(value: object, info: ValidationInfo) -> object:
        names = _document(info).table(section)
        if value not in list(names):
            raise ValueError(unknown(noun, value, names))
        return value

    return BeforeValidator(check)


def _a_network(value: object, info: ValidationInfo) -> object:
    entries = _document(info).table("networks")
    if not isinstance(value, str) or not variant.is_named(value, entries):
        raise ValueError(unknown("network", value, variant.names(entries)))
    return value


def _spell_out_all(value: object, info: ValidationInfo) -> object:
    if value == "all":
        return list(_document(info).table("networks"))
    if not isinstance(value, list):
        raise ValueError(found(value, "all, or a list of networks"))
    return value


def _networks(value: list[str], info: ValidationInfo) -> list[str]:
    """The networks that names stand for."""
    entries = _document(info).table("networks")
    return [network for name in value for network in variant.meant(name, entries)]


def _existing(noun: str, is_there: Callable[[Path], bool]) -> BeforeValidator:
    def check(value: object, info: ValidationInfo) -> Path:
        return _below(noun, is_there, value, info)

    return BeforeValidator(check)


def _below(noun: str, is_there: Callable[[Path], bool], value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, str) or not value:
        raise ValueError(found(value, "a path"))
    document = _document(info)
    allowed = f"a path inside the folder of {document.path.name}, or inside that of {_MODEL_DIR}"
    if _ADDRESS.match(value):
        advice = "nothing is downloaded: fetch the file, compare its hash, and give its path"
        raise ValueError(f"{shown(value)} is an address, and {advice}")
    if Path(value).is_absolute():
        raise ValueError(f"{shown(value)} is an absolute path; allowed: {allowed}")
    if Path(os.path.normpath(value)).parts[:1] == ("..",):
        raise ValueError(f"{shown(value)} climbs out of the folder it starts in; allowed: {allowed}")
    for folder in document.folders:
        if _is_below(folder, value, is_there, allowed):
            return folder / value
    looked = " and ".join(str((folder / value).parent) for folder in document.folders)
    raise ValueError(f"{shown(value)} is no {noun} (looked in {looked})")


def _is_below(folder: Path, name: str, is_there: Callable[[Path], bool], allowed: str) -> bool:
    path = folder / name
    try:
        exists = is_there(path)
        inside = path.resolve().is_relative_to(folder.resolve()) if exists else True
    except OSError as error:
        raise ValueError(f"{shown(name)} cannot be read: {error.strerror}") from error
    if not inside:
        raise ValueError(f"{shown(name)} is a link that leads out of {folder}; allowed: {allowed}")
    return exists


def _current_schema(value: object) -> object:
    if value is True or value != _SCHEMA:
        raise ValueError(found(value, str(_SCHEMA)))
    return value


def _version(value: str) -> str:
    try:
        Version(value)
    except ValueError:
        raise ValueError(found(value, "a version of ncnn such as 1.0.20260526")) from None
    return value


def _document(info: ValidationInfo) -> Document:
    assert isinstance(info.context, Document)
    return info.context


_T = TypeVar("_T")

Some = Annotated[_T, Field(min_length=1)]
Name = Annotated[str, Field(pattern="^[a-z0-9_]+$", max_length=64)]
"""What goes into case ids and file names."""

Schema = Annotated[int, BeforeValidator(_current_schema)]
LoopCount = Annotated[int, Field(ge=1, le=100_000)]
ThreadCount = Annotated[int, Field(ge=1, le=1024)]
Seed = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Factor = Annotated[float, Field(ge=1, le=100, allow_inf_nan=False)]
Size = Annotated[int, BeforeValidator(size)]
Share = Annotated[float, BeforeValidator(fraction)]
# ncnn's sizes are int.
Shapes = Some[list[Annotated[list[Annotated[int, Field(ge=1, lt=2**31)]], Field(min_length=1, max_length=8)]]]
LabelledShapes = Annotated[
    Annotated[Shapes, Tag("[shapes]")] | Annotated[Some[dict[Name, Shapes]], Tag("[labelled shapes]")],
    Discriminator(lambda value: "[labelled shapes]" if isinstance(value, dict) else "[shapes]"),
]
File = Annotated[Path | None, _existing("file", Path.is_file)]
Folder = Annotated[Path | None, _existing("folder", Path.is_dir)]
InputCount = Annotated[int, Field(ge=1, le=10_000)]
Release = Annotated[str, AfterValidator(_version), Field(max_length=64)]

Topology = Annotated[str | None, _one_of("built-in topology", TOPOLOGIES)]
Weights = Annotated[Precision, _one_of("precision", Precision, Precision)]
Method = Annotated[CalibrationMethod, _one_of("method", CalibrationMethod, CalibrationMethod)]
Covering = Annotated[Cover, _one_of("way to cover a grid", Cover, Cover)]
Flag = Annotated[str, _one_of("ncnn option", KNOWN_OPTIONS)]
Showing = Annotated[InId, _one_of("rule for the id", InId, InId)]

NetworkName = Annotated[str, BeforeValidator(_a_network)]
Networks = Annotated[Some[list[NetworkName]], BeforeValidator(_spell_out_all), AfterValidator(_networks)]
Exceptions = Annotated[Some[list[NetworkName]], AfterValidator(_networks)]
AxisName = Annotated[str, _key_of("axes", "axis")]
ProfileName = Annotated[str, _key_of("profiles", "profile")]
