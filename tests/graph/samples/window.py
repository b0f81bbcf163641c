"""Layers that slide a window over a blob."""

from __future__ import annotations

from tests.graph.samples.sample import Sample

SAMPLES = [
    Sample("3x9x7", "Convolution", "0=4 1=3 5=1 6=108"),
    Sample("3x9x7", "Convolution", "0=4 1=3 11=1 3=2 13=1 4=1 14=0 15=2 6=36"),
    Sample("3x9x8", "Convolution", "0=4 1=3 2=2 3=2 4=-233 6=108"),
    Sample("3x9x8", "Convolution", "0=4 1=2 3=3 4=-234 6=48"),
    Sample("3x9x7 5x3x2x4", "Convolution", "0=5 1=4 11=2 4=1 19=1"),
    Sample("24", "Convolution", "0=5 1=1 5=1 6=120"),
    Sample("6x9x7", "ConvolutionDepthWise", "0=6 1=3 3=2 4=1 5=1 6=54 7=6"),
    Sample("6x9x7", "ConvolutionDepthWise", "0=4 1=3 6=108 7=2"),
    Sample("3x9", "Convolution1D", "0=4 1=3 3=2 4=1 6=36"),
    Sample("4x9", "ConvolutionDepthWise1D", "0=4 1=3 2=2 6=12 7=4"),
    Sample("3x5x4", "Deconvolution", "0=4 1=3 3=2 4=1 18=1 5=1 6=108"),
    Sample("3x5x4", "Deconvolution", "0=4 1=3 2=2 3=2 6=108"),
    Sample("3x5x4", "Deconvolution", "0=4 1=4 3=2 4=-233 20=8 21=10 6=192"),
    Sample("4x5x4", "DeconvolutionDepthWise", "0=4 1=2 3=2 14=1 6=16 7=4"),
    Sample("3x9x8", "Pooling", "1=3 2=2"),
    Sample("3x8x9", "Pooling", "1=3 2=2"),
    Sample("3x8x8", "Pooling", "1=3 2=2 5=1"),
    Sample("3x9x8", "Pooling", "0=1 1=3 11=2 2=2 12=3 3=1 13=0 5=1 6=1"),
    Sample("3x9x8", "Pooling", "1=2 2=3 5=2"),
    Sample("3x9x8", "Pooling", "1=3 2=2 5=3"),
    Sample("3x9x8", "Pooling", "0=1 4=1"),
    Sample("3x9x8", "Pooling", "0=1 7=1 8=3 18=-233"),
    Sample("3x9x8", "Pooling", "0=1 7=1 8=-233"),
]

REFUSED = [
    (
        Sample("4x9x7", "Convolution", "0=4 1=3 6=108"),
        "108 weights, and would need 144 for a blob of 4 channels",
    ),
    (Sample("3x2x7", "Convolution", "0=4 1=3 6=108"), "window of 3, larger than the 2"),
    (Sample("3x9", "Convolution", "0=4 1=3 6=108"), "takes a blob of 1 or 3 dimensions, not 3x9"),
    (Sample("7x2x3", "ConvolutionDepthWise", "0=6 1=1 6=6 7=6"), "cannot part 7 channels"),
    (Sample("3x9x7", "Pooling", "1=3 2=0"), "stride 0"),
    (Sample("2x3x4", "Pooling", "1=2.5"), "not an integer"),
]
