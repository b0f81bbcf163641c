"""The block that transformers are made of (Vaswani et al. 2017, arXiv:1706.03762), normalized beforehand."""

from ncnn_peakmem.networks.builder import Builder, Tensor

_EXPANSION = 4
# Two branches a block are added to what came in: at this gain the sum does not grow over twelve blocks.
_BRANCH_GAIN = 0.25


def _heads(net: Builder, x: Tensor, count: int) -> Tensor:
    """From [1, tokens, width] to [1, heads, tokens, width / heads]."""
    batch, tokens, width = x.shape
    return net.transpose(net.reshape(x, (batch, tokens, count, width // count)), [0, 2, 1, 3])


def attention(net: Builder, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention of [1, heads, tokens, size] each; [1, tokens, heads * size] comes out."""
    batch, count, tokens, size = query.shape
    scores = net.scale(net.matmul(query, net.transpose(key, [0, 1, 3, 2])), size**-0.5)
    if mask is not None:
        # Repeated for every head, which `add` refuses.
        scores = net.node("Add", [scores, mask], scores.shape)
    mixed = net.transpose(net.matmul(net.softmax(scores), value), [0, 2, 1, 3])
    return net.reshape(mixed, (batch, tokens, count * size))


def attended(net: Builder, x: Tensor, mixed: Tensor) -> Tensor:
    """Add what attention made of `x` to it, and then what the block's two dense layers make of that."""
    width = x.shape[-1]
    x = net.add(x, net.project(mixed, width, gain=_BRANCH_GAIN))
    y = net.gelu(net.project(net.layer_norm(x), _EXPANSION * width))
    return net.add(x, net.project(y, width, gain=_BRANCH_GAIN))


def queries_keys_values(net: Builder, x: Tensor, count: int) -> list[Tensor]:
    """Three projections of the normalized tokens by one matrix, each split into heads."""
    width = x.shape[-1]
    joined = net.project(net.layer_norm(x), 3 * width)
    return [_heads(net, part, count) for part in net.split(joined, [width] * 3, axis=2)]
