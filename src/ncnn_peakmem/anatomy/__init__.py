"""Where the bytes of a peak are: split by layer and kind, and what moved between two builds."""
