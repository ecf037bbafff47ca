"""How good a network is: accuracy on labelled pictures, the paper's protocols, reports."""

from vggnet.evaluation.protocols import Protocol, protocol_for
from vggnet.evaluation.score import Function, Score, class_indices, evaluate, rank_of_target
from vggnet.evaluation.scoring import Net, net_of, picture_scores

__all__ = [
    "Function",
    "Net",
    "Protocol",
    "Score",
    "class_indices",
    "evaluate",
    "net_of",
    "picture_scores",
    "protocol_for",
    "rank_of_target",
]
