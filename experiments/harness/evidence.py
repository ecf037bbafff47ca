"""What the page of `vggnet serve` quotes of the experiments and benchmarks, as one file of JSON.

In: claims, results, the folder of the benchmarks' results. Out: src/vggnet/web/evidence.json. A
claim of which a net has no seed yet is null, and the page says that it was not measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.claims import Claim
from harness.page import accuracies, has_a_seed
from harness.results import Results
from harness.statistics import Estimate, difference, estimate
from harness.titles import title

QUOTED = ("kernels", "nonlinearity", "depth", "head")
PATH = Path("src/vggnet/web/evidence.json")  # in the repository
_ENGINES = ("vggnet fp32", "vggnet bf16", "torch fp32")


def evidence(claims: Iterable[Claim], results: Results, benchmarks: Path) -> str:
    """The file's text."""
    quoted = {claim.name: claim for claim in claims if claim.name in QUOTED}
    scale = results.scale
    found = {
        "setting": {
            "classes": scale.classes, "side": scale.recipe.input_size,
            "width": scale.recipe.width, "epochs": len(scale.recipe.epoch_sizes),
        },
        "claims": {name: _claim(quoted[name], results) for name in QUOTED},
        "loss_curves": json.loads(_newest(benchmarks, "loss-curves_20*.json").read_text()),
        "inference": _inference(_newest(benchmarks, "inference_vgg16_batch1_20*.json")),
    }  # fmt: skip
    return json.dumps(found, indent=1) + "\n"


def _claim(claim: Claim, results: Results) -> dict[str, Any] | None:
    if not has_a_seed(claim, results):
        return None
    found = accuracies(claim, results)
    arms = []
    for arm in claim.run_arms:
        first = next(iter(results.runs(arm, claim.seeds).values()))
        numbers = {key: first[key] for key in ("parameters", "macs")}
        top1 = list(found[arm.name].values())
        shown = {**_rounded(estimate(top1)), "runs": [round(x, 2) for x in top1]} if top1 else None
        names = {"name": arm.name, "chinese": title(arm.name, "zh")}
        arms.append({**names, **numbers, "top1": shown})
    differences = []
    for one, other in claim.differences:
        between = difference(found.get(one, {}), found.get(other, {}))
        if between is not None:
            differences.append({"one": one, "other": other, "points": _rounded(between)})
    return {"arms": arms, "differences": differences}


def _rounded(value: Estimate) -> dict[str, Any]:
    """Digits enough that the page, which rounds to one decimal, says what the tables say."""
    return {
        key: round(number, 6) if isinstance(number, float) else number
        for key, number in asdict(value).items()
    }


def _inference(path: Path) -> dict[str, Any]:
    """Milliseconds a picture of VGG16 by engine, and where they were measured."""
    measured = json.loads(path.read_text())
    times = {
        engine: round(measured["engines"][engine]["milliseconds_per_image"], 1)
        for engine in _ENGINES
    }
    about = {key: measured[key] for key in ("machine", "cores", "date")}
    return {**about, "milliseconds": times}


def _newest(folder: Path, pattern: str) -> Path:
    """Their names end in the date."""
    return sorted(folder.glob(pattern))[-1]
