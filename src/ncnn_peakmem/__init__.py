"""Peak memory of the ncnn inference engine: measured, judged, explained."""
