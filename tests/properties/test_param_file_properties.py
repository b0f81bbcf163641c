from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ncnn_peakmem import param_file
from ncnn_peakmem.param_file import Graph, ParamFileError
from tests.properties.strategies import networks

FILES = st.binary(max_size=300)
NEARLY = st.lists(
    st.sampled_from(["7767517", "1", "2", "Input", "a", "\n", "\r\n", " ", "0=1", '6="x', "-23300=1", "\0"]),
    max_size=40,
).map("".join)


@given(networks())
def test_a_network_is_read_as_it_was_written(network: Graph) -> None:
    assert param_file.parse(param_file.format(network)) == network


@given(networks(), st.data())
def test_line_ends_and_indents_do_not_matter(network: Graph, data: st.DataObject) -> None:
    end = data.draw(st.sampled_from(["\r\n", "\n\n", " \n\t"]))
    assert param_file.parse(param_file.format(network).replace("\n", end)) == network


@given(networks(), st.data())
def test_a_network_cut_short_at_a_line_is_refused(network: Graph, data: st.DataObject) -> None:
    lines = param_file.format(network).splitlines()
    kept = data.draw(st.integers(0, len(lines) - 1))
    with pytest.raises(ParamFileError, match=r"^net\.param:"):
        param_file.parse("\n".join(lines[:kept]), "net.param")


@given(st.one_of(FILES, NEARLY.map(str.encode)))
def test_any_bytes_are_a_network_or_refused(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "net.param")
        path.write_bytes(content)
        try:
            param_file.read(path)
        except ParamFileError as error:
            assert str(error).startswith(f"{path}:")  # noqa: PT017 - most are none
