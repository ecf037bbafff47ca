"""The end of a run: its weights are put together, saved, and tested on pictures kept apart.

In: a Loop that is through. Out: Weights, batch norm folded, that say where they come from; in the
run's folder model.safetensors, which holds them in the recipe's dtype.
"""

from __future__ import annotations

from typing import Any

from vggnet.data import Dataset
from vggnet.evaluation import Score, class_indices, evaluate
from vggnet.model import load
from vggnet.training.batches.colours import at_scale
from vggnet.training.loop import Loop
from vggnet.training.record.disk import writing
from vggnet.weights import own_file
from vggnet.weights.named import WEIGHTS_OF_A_RUN
from vggnet.weights.rewrite import fold_batch_norm
from vggnet.weights.weights import Weights


def finish(loop: Loop) -> Weights:
    """Choose the size to test at by the held-back pictures, then save the weights and test them.

    Raises Interrupted where the loop's options ask for a stop; a run that is resumed ends anew.
    """
    options, recipe = loop.options, loop.run.recipe
    loop.draw()
    scores = {}
    for size in recipe.test_size_choices if len(loop.held_back) else ():
        scores[size] = loop.test(size)
        options.reporter.note(f"held back, tested at {size}:{scores[size]}")
    for text in loop.broken:
        options.reporter.note(f"left out: {text}")
    weights = _weights(loop, scores)
    if not options.process.writes:
        return weights
    path = options.folder / WEIGHTS_OF_A_RUN
    with writing(path):
        own_file.save(path, weights, recipe.dtype)
    if options.validation is not None:
        metrics: Any = weights.training["metrics"]
        metrics |= _tested(loop, options.validation)
        with writing(path):
            own_file.save(path, weights, recipe.dtype)
    options.reporter.note(f"saved {path}")
    return weights


def _weights(loop: Loop, scores: dict[int, Score]) -> Weights:
    """The network to keep, at the test size with the best of `scores`."""
    run, recipe = loop.run, loop.run.recipe
    arrays = {name: each.cpu().numpy() for name, each in run.network_to_keep.state_dict().items()}
    spec, state = fold_batch_norm(run.network.spec, arrays)
    best = max(scores, key=lambda size: scores[size].top1, default=recipe.test_size)
    held_back = {str(size): _figures(score) for size, score in scores.items()}
    first, *later = loop.sessions
    return Weights(
        spec,
        state,
        at_scale(run.preprocessing, recipe, best),
        loop.dataset.classes,
        {
            **{name: value for name, value in first.items() if name != "from_step"},
            **({"carried_on": later} if later else {}),
            "data": {name: value for name, value in loop.data.items() if name != "class_names"},
            "recipe": recipe.to_json(),
            **({"teacher_sha256": run.teacher.digest} if run.teacher else {}),
            "epochs": run.step / loop.steps_per_epoch,
            "steps": run.step,
            **({"ended_by": "plateau"} if run.ended_by_plateau else {}),
            "wall_seconds": round(loop.progress.seconds),
            "broken_pictures": len(loop.broken),
            "metrics": {"held_back": held_back} if held_back else {},
        },
    )


def _tested(loop: Loop, dataset: Dataset) -> dict[str, Any]:
    """The saved file's score on pictures kept apart, by the name of their split."""
    split, note = dataset.split or "validation", loop.options.reporter.note
    # The other processes have ended, and leave it all cores.
    threads = None if loop.options.process.several else loop.hardware.threads
    model = load(loop.options.folder / WEIGHTS_OF_A_RUN, threads=threads)
    try:
        class_index = class_indices(model.labels, dataset.classes, dataset.labels)
    except ValueError as error:
        note(f"not tested on the {split} pictures: {error}")
        return {}
    note(f"testing on {len(dataset.labels):,} {split} pictures")
    score = evaluate(
        model.logits,
        dataset,
        model.preprocessing,
        class_index=class_index,
        progress=loop.stop_if_asked,
    )
    for fault in score.broken:
        note(f"left out: {fault}")
    note(f"{split}:{score}")
    return {split: _figures(score)}


def _figures(score: Score) -> dict[str, Any]:
    return {"top1": score.top1, "top5": score.top5, "images": score.images}
