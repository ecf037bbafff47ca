"""Protocol buffers, read and written on the wire."""
