"""Labelled pictures, for training and evaluation alike."""

from vggnet.data.dataset import (
    SPLITS,
    Dataset,
    FolderDataset,
    Split,
    classes_held_back,
    classes_without_pictures,
    doubts,
    open_dataset,
    picture,
    splits,
)

__all__ = [
    "SPLITS",
    "Dataset",
    "FolderDataset",
    "Split",
    "classes_held_back",
    "classes_without_pictures",
    "doubts",
    "open_dataset",
    "picture",
    "splits",
]
