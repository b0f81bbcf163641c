from pathlib import Path

from ncnn_peakmem import probe
from ncnn_peakmem.probe import script

CHILD = Path(probe.__file__).with_name("child.py").read_bytes()


def test_the_script_is_the_child_to_the_byte() -> None:
    with script.opened() as opened:
        assert opened.read() == CHILD


def test_only_what_is_told_may_be_empty() -> None:
    with script.opened(["found", "it's"]) as opened:
        lines = opened.read().splitlines()

    changed = [line.strip() for line in lines if line not in CHILD.splitlines()]
    assert changed == [b"""if output.empty() and name not in ('found', "it's"):"""]
    assert len(lines) == len(CHILD.splitlines())
