"""Which Winograd transform ncnn takes for a 3x3 convolution, if any."""

from __future__ import annotations

from dataclasses import dataclass

from ncnn_peakmem.forecast.setting import Setting


@dataclass(frozen=True, slots=True)
class Transform:
    """F(m, 3): an output tile is `step` wide, and an input tile has so many points."""

    step: int

    @property
    def points(self) -> int:
        """The products to be made of each tile."""
        return (self.step + 2) ** 2


F23, F43, F63 = Transform(2), Transform(4), Transform(6)

# Before 2023: for blobs packed alike, between how many channels the largest transform is taken, and from how
# many on the middle one.
_EARLY_RANGE = {16: (32, 128), 8: (16, 64), 4: (8, 32)}


def transform(read: int, made: int, setting: Setting) -> Transform | None:
    """For so many channels read and made, where ncnn does not know the shapes when it loads."""
    wanted = {step: setting.flag(f"use_winograd{step.step}3_convolution") for step in (F23, F43, F63)}
    if not setting.flag("use_winograd_convolution") or not any(wanted.values()) or max(read, made) <= 8:
        return None
    if wanted[F63] and max(read, made) <= 32:
        return F63
    return F43 if wanted[F43] else F23


def early_transform(read: int, made: int, packs: tuple[int, int], setting: Setting) -> Transform | None:
    """The same in the releases before 2023; `packs` are those of what is read and made."""
    if not setting.flag("use_winograd_convolution"):
        return None
    if packs[0] != packs[1]:
        return F63 if packs[1] == 1 and packs[0] > 1 else None
    least, most = min(read, made), max(read, made)
    if packs[0] == 1:
        return F43 if least >= 16 else F23
    if packs[0] == 8 and most <= 8:
        return None
    low, high = _EARLY_RANGE[packs[0]]
    if least < low:
        return F23
    return F63 if most <= high else F43
