"""A document against the schema: its entries, or what does not fit and what would."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ncnn_peakmem.catalog.document import Document
from ncnn_peakmem.catalog.mistake import Location, Mistake, found, unknown
from ncnn_peakmem.catalog.schema import CatalogEntry, Table

_STEPS = ("[key]", "[shapes]", "[labelled shapes]")
"""Steps of pydantic's locations that are none in the file."""

_ALLOWED = {
    "bool_type": "true, false",
    "dict_type": "a mapping",
    "finite_number": "a finite number",
    "float_type": "a number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "int_type": "a whole number",
    "less_than": "less than {lt:.10g}",
    "less_than_equal": "{le:.10g} or less",
    "list_type": "a list",
    "model_type": "a mapping",
    "string_pattern_mismatch": "lower-case letters, digits and _",
    "string_too_long": "up to {max_length} characters",
    "string_type": "text",
}
"""What pydantic's kinds of errors allow, in the words of the file."""


def parse(document: Document) -> tuple[CatalogEntry | None, tuple[Mistake, ...]]:
    """The document's entries, or None and every mistake."""
    try:
        return CatalogEntry.model_validate(document.value, context=document), ()
    except ValidationError as error:
        return None, tuple(_mistakes(document, error))


def _mistakes(document: Document, error: ValidationError) -> Iterator[Mistake]:
    for detail in error.errors(include_url=False):
        # pydantic marks a key that is wrong itself, rather than its value, with one more step.
        location = tuple(part for part in detail["loc"] if part not in _STEPS)
        yield document.mistake(location, _worded(detail, location))


def _worded(detail: ErrorDetails, location: Location) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        table = _table_at(location[:-1])
        keys = (key.alias or name for name, key in table.model_fields.items())
        return unknown(table.noun, location[-1], keys)
    if kind == "too_short":
        return f"holds {context['actual_length']}; allowed: {context['min_length']} or more"
    if kind == "too_long":
        return f"holds {context['actual_length']}; allowed: up to {context['max_length']}"
    if kind in _ALLOWED:
        return found(detail["input"], _ALLOWED[kind].format(**context))
    return detail["msg"]


def _table_at(location: Location) -> type[Table]:
    """The table that the schema has at a location."""
    kind: Any = CatalogEntry
    for part in location:
        # What a mapping or a list holds is the last of its arguments; what Annotated wraps, the first.
        kind = kind.model_fields[part].annotation if hasattr(kind, "model_fields") else get_args(kind)[-1]
        while get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
    table: type[Table] = kind
    return table
