"""YAML with lines: what is read, and what is refused before anything is understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from ncnn_peakmem.catalog.document import Document, read
from ncnn_peakmem.catalog.mistake import CatalogError


def _read(folder: Path, text: str | bytes) -> Document:
    path = folder / "some.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read(path)


def _refusal(folder: Path, text: str | bytes) -> str:
    with pytest.raises(CatalogError) as caught:
        _read(folder, text)
    return str(caught.value).removeprefix(f"{folder}/")


def test_every_key_and_every_entry_knows_its_line(tmp_path: Path) -> None:
    document = _read(tmp_path, "# a comment\na:\n  b:\n\n    - 1\n    - {c: 2,\n       d: 3}\ne: [4,\n  5]\n")
    assert document.value == {"a": {"b": [1, {"c": 2, "d": 3}]}, "e": [4, 5]}
    assert document.lines == {
        (): 2,
        ("a",): 2,
        ("a", "b"): 3,
        ("a", "b", 0): 5,
        ("a", "b", 1): 6,
        ("a", "b", 1, "c"): 6,
        ("a", "b", 1, "d"): 7,
        ("e",): 8,
        ("e", 0): 8,
        ("e", 1): 9,
    }


def test_plain_scalars_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    text = "[true, off, null, ~, 12, -1, 0.5, 1e3, 1:30, 2026-05-26, 1.0.20260526, 0x10, '7', 16 KiB, .5]"
    assert _read(tmp_path, text).value == [
        *(True, "off", None, None, 12, -1, 0.5, 1000.0, "1:30", "2026-05-26", "1.0.20260526", "0x10"),
        *("7", "16 KiB", 0.5),
    ]


def test_keys_keep_their_text(tmp_path: Path) -> None:
    assert _read(tmp_path, "{1: a, true: b, null: c}").value == {"1": "a", "true": "b", "null": "c"}


def test_duplicate_keys_are_all_told_and_the_first_holds(tmp_path: Path) -> None:
    document = _read(tmp_path, "a: 1\nb: {c: 1, d: 2,\n  c: 3}\na: {x: 1}\n")
    assert document.value == {"a": 1, "b": {"c": 1, "d": 2}}
    assert [str(mistake).rpartition("some.yaml:")[2] for mistake in document.mistakes] == [
        "3: b.c: 'c' is here twice, first in line 2",
        "4: a: 'a' is here twice, first in line 1",
    ]


def test_a_key_that_is_no_text(tmp_path: Path) -> None:
    document = _read(tmp_path, "a: 1\nb:\n  ? [c]\n  : 2\n")
    assert [str(mistake).rpartition("some.yaml:")[2] for mistake in document.mistakes] == [
        "3: b: a key must be text"
    ]


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", "some.yaml:3: while parsing a flow sequence, expected ',' or ']'"),
        ("a: 1\n\tb: 2\n", "some.yaml:2: while scanning for the next token, found character '\\t'"),
        ("a: 1\n---\nb: 2\n", "some.yaml:2: expected a single document in the stream"),
        ("a: &x [1]\nb:\n- *x\n", "some.yaml:3: the alias *x is not allowed; write the value out"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "some.yaml:3: the alias *x is not allowed"),
        (
            "a: 1\nb: !!python/name:os.system x\n",
            "some.yaml:2: the tag tag:yaml.org,2002:python/name:os.system",
        ),
        ("a: 1\nb: \x07\n", "some.yaml:2: '\\x07' is no text"),
        (b"a: 1\nb: \xff\n", "some.yaml:2: is not encoded as UTF-8"),
        ("[" * 5000, "some.yaml: is nested too deeply"),
    ],
)
def test_refusals_name_the_line(tmp_path: Path, text: str | bytes, refusal: str) -> None:
    assert _refusal(tmp_path, text).startswith(refusal)


def test_a_bomb_of_aliases_is_refused_at_the_first(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40))]
    assert _refusal(tmp_path, "\n".join(lines)).startswith("some.yaml:2: the alias *a0 is not allowed")


def test_a_number_too_long_for_python_is_still_a_value(tmp_path: Path) -> None:
    assert _read(tmp_path, "9" * 5000).value == float("inf")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CatalogError) as caught:
        read(tmp_path / "none.yaml")
    assert str(caught.value) == f"{tmp_path}/none.yaml: cannot be read: No such file or directory"


def test_looking_where_nothing_is(tmp_path: Path) -> None:
    document = _read(tmp_path, "a: {b: [1]}")
    assert document.at("a", "b", 0) == 1
    assert document.at("a", "b", 1) is None
    assert document.at("a", "b", "c") is None
    assert document.at("x", "y") is None
    assert document.table("a", "b") == {}
    assert list(document.rows("a")) == []
