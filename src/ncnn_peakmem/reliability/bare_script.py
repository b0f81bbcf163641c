"""What one would write without the suite: load a network with ncnn's Python package and run it some times."""

from __future__ import annotations

import sys

import ncnn  # type: ignore[import-untyped]

param, weights, input_name, output_name, sizes, loops, *options = sys.argv[1:]

net = ncnn.Net()
for option in options:
    name, _, value = option.partition("=")
    setattr(net.opt, name, int(value))
net.load_param(param)
net.load_model(weights)

image = ncnn.Mat(*map(int, sizes.split(",")))
image.fill(0.5)
for _loop in range(int(loops)):
    extractor = net.create_extractor()
    extractor.input(input_name, image)
    output = ncnn.Mat()
    extractor.extract(output_name, output)
