"""HDF5, read in plain Python."""
