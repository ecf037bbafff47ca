"""Accuracy of a function images_NCHW -> logits_NK on labelled pictures."""

from vggnet.evaluation.score import Function, Score, class_indices, evaluate, rank_of_target

__all__ = ["Function", "Score", "class_indices", "evaluate", "rank_of_target"]
