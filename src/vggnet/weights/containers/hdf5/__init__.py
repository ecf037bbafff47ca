"""HDF5, read in plain Python, and by h5py in a process of its own where that does not do."""
