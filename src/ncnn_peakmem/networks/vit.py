"""Vision transformer (Dosovitskiy et al. 2021, arXiv:2010.11929), DeiT's smallest (arXiv:2012.12877)."""

from ncnn_peakmem.networks.builder import Builder, Tensor
from ncnn_peakmem.networks.transformer import attended, attention, queries_keys_values

_WIDTH, _HEADS, _BLOCKS, _PATCH = 192, 3, 12, 16


def vit_tiny(net: Builder) -> Tensor:
    """Build DeiT-Ti/16."""
    x = net.conv(net.image, _WIDTH, _PATCH, stride=_PATCH, padding=0)
    batch, width, rows, columns = x.shape
    x = net.transpose(net.reshape(x, (batch, width, rows * columns)), [0, 2, 1])
    # The class token comes last here, not first: attention does not know any order but that of the positions.
    tokens = (batch, rows * columns + 1, width)
    x = net.node("Concat", [x], tokens, {"class": net.near(0.0, width).reshape(1, 1, width)}, axis=1)
    positions = net.near(0.0, tokens[1] * width).reshape(tokens)
    x = net.node("Add", [x], tokens, {"positions": positions})
    for _ in range(_BLOCKS):
        query, key, value = queries_keys_values(net, x, _HEADS)
        x = attended(net, x, attention(net, query, key, value))
    # Every token is normalized, as only a whole blob is in ncnn, and one is looked at.
    x = net.crop(net.layer_norm(x), 1, rows * columns, rows * columns + 1)
    return net.dense(net.flatten(x), 1000)
