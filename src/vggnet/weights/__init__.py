"""Weight files of any framework: recognised, read, written, fetched."""
