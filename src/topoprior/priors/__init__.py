"""What is wanted: Betti numbers, ranges, don't care. Knows nothing of images."""
