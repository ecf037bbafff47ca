"""What the Learn tab quotes of experiments and measurements, in a browser."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from in_browser import Explorer
from learn_tab import answered, step
from playwright.sync_api import Browser, Route, expect

import vggnet

EVIDENCE = Path(vggnet.__file__).parent / "web" / "evidence.json"


@pytest.mark.parametrize("width", [360, 1300])
def test_the_nets_of_an_experiment_are_named_in_full(
    browser: Browser, address: str, width: int
) -> None:
    explorer = Explorer(browser, address, viewport={"width": width, "height": 800})
    page = explorer.open(tab="learn", learn__3="-")
    chart = answered(page, 3).locator(".evidence .chart")
    expect(chart.locator(".net-name").last).to_have_text("11x11 and 5x5 at D's MACs")
    ends = """chart => [...chart.querySelectorAll("text")].map((text) => text.getBBox())
        .every(({x, width}) => x >= 0 && x + width <= chart.viewBox.baseVal.width)"""
    assert chart.evaluate(ends)
    explorer.close()


def quoting(explorer: Explorer, claims: dict[str, Any]) -> None:
    """The page as it is with these results of the experiments."""

    def answer(route: Route) -> None:
        found = json.loads(EVIDENCE.read_text())
        route.fulfill(json={**found, "claims": {**found["claims"], **claims}})

    explorer.page.route("**/page/evidence.json", answer)


def test_experiments_are_quoted_with_their_interval(explorer: Explorer) -> None:
    def between(one: str, other: str, mean: float, half: float | None, seeds: int) -> Any:
        points = {"mean": mean, "half_width": half, "seeds": seeds}
        return {"one": one, "other": other, "points": points}

    differences = [between("B", "B 5x5", 2.14, 0.8, 3), between("D", "D 7x7", -0.3, None, 1)]
    top1 = {"mean": 51.2, "half_width": 0.9, "seeds": 3, "runs": [50.9, 51.2, 51.5]}
    arms = [{"name": "B", "top1": top1}, {"name": "D 7x7", "top1": None}]  # it diverged
    quoting(explorer, {"kernels": {"arms": arms, "differences": differences}})
    page = explorer.open(tab="learn", learn__3="-")
    said = answered(page, 3).locator(".evidence")
    expect(said).to_contain_text("B against 5×5 kernels +2.1 ± 0.8 points of top-1 (3 seeds)")
    expect(said).to_contain_text("−0.3 points of top-1 (one seed, so no interval)")
    expect(said.get_by_role("img")).to_have_attribute("aria-label", re.compile(r": B 51\.2%$"))
    expect(said.locator(".run")).to_have_count(3)


def test_what_was_not_measured_is_said_to_be_so(explorer: Explorer) -> None:
    quoting(explorer, dict.fromkeys(("kernels", "nonlinearity", "depth", "head")))
    page = explorer.open(tab="learn", learn__3="-", learn__4="-", learn__6="-", learn__11="-")
    for number in (3, 4, 6, 11):
        expect(answered(page, number).locator(".evidence")).to_contain_text("Not measured yet")


def test_what_is_quoted_of_rates_and_speeds_is_as_it_was_measured(explorer: Explorer) -> None:
    milliseconds = {"vggnet fp32": 60.0, "vggnet bf16": 20.0, "torch fp32": 193.9}
    found = json.loads(EVIDENCE.read_text())
    found["inference"]["milliseconds"] = milliseconds
    found["loss_curves"]["first"] = 11
    for run, rate in zip(found["loss_curves"]["runs"], (0.004, 0.05, 2), strict=True):
        run["rate"] = rate
    explorer.page.route("**/page/evidence.json", lambda route: route.fulfill(json=found))
    page = explorer.open(tab="learn", learn__11="-", learn__12="-")
    expect(answered(page, 11)).to_contain_text("is 3.0 times as fast")
    expect(answered(page, 12).locator(".note")).to_contain_text("The rates are 0.004, 0.05, 2.")
    expect(step(page, 12).locator(".note")).to_contain_text("the mean of 21 steps")
    names = step(page, 12).locator(".curve-name")
    expect(names).to_have_text(["X: 0.05", "Y: 2", "Z: 0.004"])
    boxes = [each.bounding_box() for each in names.all()]
    tops = sorted(box["y"] for box in boxes if box is not None)
    heights = [box["height"] for box in boxes if box is not None]
    assert all(below - above > 0.7 * max(heights) for above, below in pairwise(tops)), tops
