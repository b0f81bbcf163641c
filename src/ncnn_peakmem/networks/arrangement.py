"""Operations that move numbers without changing them."""

import math
from collections.abc import Sequence

import numpy as np

from ncnn_peakmem.networks.draft import Draft, Tensor


class Arrangements(Draft):
    """Joining, splitting, and other shapes."""

    def flatten(self, x: Tensor) -> Tensor:
        """Keep the batch axis and join all others."""
        return self.node("Flatten", [x], (x.shape[0], math.prod(x.shape[1:])), axis=1)

    def reshape(self, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Give the same numbers another shape."""
        if math.prod(shape) != math.prod(x.shape):
            raise ValueError(f"cannot reshape {x} to {shape}")
        return self.node("Reshape", [x], shape, {"shape": np.array(shape, np.int64)})

    def transpose(self, x: Tensor, order: Sequence[int]) -> Tensor:
        """Put the axes into another order."""
        return self.node("Transpose", [x], tuple(x.shape[axis] for axis in order), perm=list(order))

    def concat(self, parts: Sequence[Tensor], axis: int = 1) -> Tensor:
        """Join tensors along an axis, by default their channels."""
        shapes = [part.shape for part in parts]
        if len({(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}) > 1:
            raise ValueError(f"cannot join {', '.join(map(str, parts))} along axis {axis}")
        joined = sum(shape[axis] for shape in shapes)
        return self.node("Concat", parts, (*shapes[0][:axis], joined, *shapes[0][axis + 1 :]), axis=axis)

    def split(self, x: Tensor, sizes: Sequence[int], axis: int = 1) -> list[Tensor]:
        """Split an axis, by default the channels, into parts of these sizes."""
        if sum(sizes) != x.shape[axis]:
            raise ValueError(f"cannot split axis {axis} of {x} into {list(sizes)}")
        shapes = [(*x.shape[:axis], size, *x.shape[axis + 1 :]) for size in sizes]
        # Sizes that ONNX would derive by itself are lost on the way to ncnn, whose Slice then crashes.
        return self.nodes("Split", [x], shapes, {"split": np.array(sizes, np.int64)}, axis=axis)

    def halve(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Split the channels into a first and a second half."""
        first, second = self.split(x, [x.channels // 2] * 2)
        return first, second

    def crop(self, x: Tensor, axis: int, start: int, end: int) -> Tensor:
        """Take what an axis has from `start` up to `end`."""
        if not 0 <= start < end <= x.shape[axis]:
            raise ValueError(f"cannot take {start} to {end} of axis {axis} of {x}")
        bounds = {"starts": start, "ends": end, "axes": axis}
        return self.node(
            "Slice",
            [x],
            (*x.shape[:axis], end - start, *x.shape[axis + 1 :]),
            {role: np.array([place], np.int64) for role, place in bounds.items()},
        )

    def channel_shuffle(self, x: Tensor, groups: int) -> Tensor:
        """Interleave the channels of `groups` equal groups."""
        batch, channels, *sizes = x.shape
        grouped = self.reshape(x, (batch, groups, channels // groups, *sizes))
        return self.reshape(self.transpose(grouped, [0, 2, 1, 3, 4]), x.shape)

    def pixel_unshuffle(self, x: Tensor, block: int) -> Tensor:
        """Move each square block of pixels into the channels."""
        batch, channels, height, width = x.shape
        if height % block or width % block:
            raise ValueError(f"cannot cut {x} into blocks of {block}x{block}")
        rows, columns = height // block, width // block
        # pnnx takes ONNX's own SpaceToDepth, whose channels are in another order, for this one.
        blocks = self.reshape(x, (batch, channels, rows, block, columns, block))
        gathered = self.transpose(blocks, [0, 1, 3, 5, 2, 4])
        return self.reshape(gathered, (batch, channels * block**2, rows, columns))

    def upsample(self, x: Tensor, factor: int = 2) -> Tensor:
        """Repeat each pixel `factor` times in both directions."""
        batch, channels, height, width = x.shape
        return self.node(
            "Resize",
            [x],
            (batch, channels, factor * height, factor * width),
            {"roi": np.empty(0, np.float32), "scales": np.array([1, 1, factor, factor], np.float32)},
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
