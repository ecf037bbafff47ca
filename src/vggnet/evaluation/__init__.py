"""How good a network is: accuracy on labelled pictures, the paper's protocols, reports."""

from vggnet.evaluation.score import Function, Score, class_indices, evaluate, rank_of_target

__all__ = ["Function", "Score", "class_indices", "evaluate", "rank_of_target"]
