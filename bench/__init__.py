"""Measurements, as ratios of runs side by side."""
