"""The boolean flags of `ncnn.Net().opt`, over all releases."""

KNOWN_OPTIONS = frozenset(
    {
        "lightmode",
        "use_bf16_packed",
        "use_bf16_storage",
        "use_fp16_arithmetic",
        "use_fp16_packed",
        "use_fp16_storage",
        "use_image_storage",
        "use_int8_arithmetic",
        "use_int8_inference",
        "use_int8_packed",
        "use_int8_storage",
        "use_packing_layout",
        "use_sgemm_convolution",
        "use_shader_pack8",
        "use_subgroup_ballot",
        "use_subgroup_basic",
        "use_subgroup_ops",
        "use_subgroup_shuffle",
        "use_subgroup_vote",
        "use_tensor_storage",
        "use_vulkan_compute",
        "use_weight_fp16_storage",
        "use_winograd23_convolution",
        "use_winograd43_convolution",
        "use_winograd63_convolution",
        "use_winograd_convolution",
    }
)
"""A release that lacks one answers with outcome `unsupported`; any other flag is a mistake in the catalog."""
