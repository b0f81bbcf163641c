"""The kinds of single values in the file, each with the check that words its own refusal."""

from __future__ import annotations

import os.path
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, TypeVar

from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from ncnn_peakmem.case import Precision
from ncnn_peakmem.catalog.catalog import InId
from ncnn_peakmem.catalog.document import Document
from ncnn_peakmem.catalog.mistake import found, unknown
from ncnn_peakmem.catalog.options import KNOWN_OPTIONS
from ncnn_peakmem.catalog.quantity import fraction, size
from ncnn_peakmem.networks import TOPOLOGIES

_SCHEMA = 1


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


def _spell_out_all(value: object, info: ValidationInfo) -> object:
    if value == "all":
        return list(_document(info).table("networks"))
    if not isinstance(value, list):
        raise ValueError(found(value, "all, or a list of networks"))
    return value


def _existing_file(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, str) or not value:
        raise ValueError(found(value, "a path"))
    catalog = _document(info).path
    if Path(os.path.normpath(value)).parts[:1] == ("..",):
        allowed = "a path inside that folder, or an absolute one"
        raise ValueError(f"{value!r} climbs out of the folder of {catalog.name}; allowed: {allowed}")
    path = catalog.parent.absolute() / value
    try:
        exists = path.is_file()
    except OSError as error:
        raise ValueError(f"{value!r} cannot be read: {error.strerror}") from error
    if not exists:
        raise ValueError(f"{value!r} is no file (looked in {path.parent})")
    return path


def _current_schema(value: object) -> object:
    if value is True or value != _SCHEMA:
        raise ValueError(found(value, str(_SCHEMA)))
    return value


def _version(value: str) -> str:
    try:
        Version(value)
    except InvalidVersion:
        raise ValueError(found(value, "a version of ncnn such as 1.0.20260526")) from None
    return value


def _document(info: ValidationInfo) -> Document:
    assert isinstance(info.context, Document)
    return info.context


_T = TypeVar("_T")

Some = Annotated[_T, Field(min_length=1)]
Name = Annotated[str, Field(pattern="^[a-z0-9_]+$")]
"""What goes into case ids and file names."""

Schema = Annotated[int, BeforeValidator(_current_schema)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Factor = Annotated[float, Field(ge=1, allow_inf_nan=False)]
Size = Annotated[int, BeforeValidator(size)]
Share = Annotated[float, BeforeValidator(fraction)]
Shapes = Some[list[Some[list[Count]]]]
File = Annotated[Path | None, BeforeValidator(_existing_file)]
Release = Annotated[str, AfterValidator(_version)]

Topology = Annotated[str | None, _one_of("built-in topology", TOPOLOGIES)]
Weights = Annotated[Precision, _one_of("precision", Precision, Precision)]
Flag = Annotated[str, _one_of("ncnn option", KNOWN_OPTIONS)]
Showing = Annotated[InId, _one_of("rule for the id", InId, InId)]

NetworkName = Annotated[str, _key_of("networks", "network")]
Networks = Annotated[Some[list[NetworkName]], BeforeValidator(_spell_out_all)]
AxisName = Annotated[str, _key_of("axes", "axis")]
ProfileName = Annotated[str, _key_of("profiles", "profile")]
