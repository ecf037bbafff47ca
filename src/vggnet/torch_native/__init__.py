"""Torch layers that the native engine computes, forward and backward."""
