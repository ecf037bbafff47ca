"""Which net a weight file holds, in whose convention, and which picture it wants."""
