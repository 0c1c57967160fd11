"""Metrics. Uses the loss's own conventions for what counts as correct."""
