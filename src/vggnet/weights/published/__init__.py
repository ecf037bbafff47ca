"""The weight files that others have published, and how they come onto this disk."""
