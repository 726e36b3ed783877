"""Answers of the clock, assembled from many rows: read only."""
