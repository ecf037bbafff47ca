"""Pickles, read and written as data."""
