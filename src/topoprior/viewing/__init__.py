"""Barcodes, diagrams, overlays, panels and the HTML report."""
