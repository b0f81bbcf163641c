"""Two blocks of GPT-2 small (Radford et al. 2019): a prompt read at once, and one token more after it.

The keys and values of the tokens so far, the KV cache, are outputs of the one and inputs of the other.
"""

from ncnn_peakmem.networks.builder import Builder, Tensor
from ncnn_peakmem.networks.transformer import attended, attention, queries_keys_values

_HEADS, _BLOCKS = 12, 2


def gpt2_prompt(net: Builder) -> dict[str, Tensor]:
    """Build the blocks for a whole prompt: embedded tokens, and what is added to the scores of attention."""
    x, mask = net.inputs
    caches: dict[str, Tensor] = {}
    for block in range(_BLOCKS):
        query, key, value = queries_keys_values(net, x, _HEADS)
        caches |= {f"key_{block}": key, f"value_{block}": value}
        x = attended(net, x, attention(net, query, key, value, mask))
    return {"output": net.layer_norm(x)} | caches


def gpt2_step(net: Builder) -> dict[str, Tensor]:
    """Build the blocks for one embedded token, with the keys and values that each block has cached."""
    x, *cached = net.inputs
    caches: dict[str, Tensor] = {}
    for block in range(_BLOCKS):
        query, key, value = queries_keys_values(net, x, _HEADS)
        past_key, past_value = cached[2 * block : 2 * block + 2]
        key, value = net.concat([past_key, key], axis=2), net.concat([past_value, value], axis=2)
        caches |= {f"key_{block}": key, f"value_{block}": value}
        x = attended(net, x, attention(net, query, key, value))
    return {"output": net.layer_norm(x)} | caches
