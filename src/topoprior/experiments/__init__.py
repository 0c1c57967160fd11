"""The demo and the paper's experiments, on the public API only."""
