"""Models that come out wrong on DirectML come out right: fp16 norms that overflow are found, measured and rewritten."""
