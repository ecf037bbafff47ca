"""Labelled pictures, for training and evaluation alike."""

from vggnet.data.dataset import SPLITS, Dataset, FolderDataset, open_dataset, picture

__all__ = ["SPLITS", "Dataset", "FolderDataset", "open_dataset", "picture"]
