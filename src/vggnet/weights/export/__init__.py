"""Weights as files for other libraries."""
