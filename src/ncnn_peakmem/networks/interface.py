"""The two ends that all built-in networks share."""

INPUT_NAME = "data"
INPUT_SHAPE = (1, 3, 224, 224)
OUTPUT_NAME = "output"
