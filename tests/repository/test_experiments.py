"""experiments/: claims as data, the choice of rates, statistics, and pages of what was found."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import ROOT

from vggnet.analysis import analyze
from vggnet.training.recipe import Recipe

sys.path.append(str(ROOT / "experiments"))
import run as experiments
from harness import (
    command,
    evidence,
    figures,
    jobs,
    measures,
    nets,
    overview,
    page,
    statistics,
    titles,
)
from harness.claims import Arm, Claim, Series
from harness.results import Results, weights_name
from harness.scales import SCALES, recipe

EXPERIMENTS = Path(experiments.__file__).parent
SMALL = SCALES["small"]
THREE_RATES = replace(SMALL, rates=(0.02, 0.06, 0.2))
CLAIMS = [claim(SMALL) for claim in experiments.claims(",".join(experiments.CLAIMS))]


class TestStatistics:
    def test_the_interval_of_three_seeds(self) -> None:
        found = statistics.estimate([40.0, 41.0, 42.0])
        assert (found.mean, found.seeds) == (41.0, 3)
        assert found.half_width == pytest.approx(4.303 / 3**0.5)  # the deviation is 1

    def test_one_seed_has_no_interval(self) -> None:
        found = statistics.estimate([40.0])
        assert (found.mean, found.half_width, found.is_clear) == (40.0, None, False)
        with pytest.raises(ValueError, match="0 values"):
            statistics.estimate([])

    def test_differences_are_taken_seed_by_seed(self) -> None:
        one, other = {0: 40.0, 1: 45.0, 2: 50.0, 3: 9.0}, {2: 47.0, 0: 38.0, 1: 42.0}
        found = statistics.difference(one, other)
        assert found is not None
        assert found.mean == pytest.approx(8 / 3)  # of 2, 3 and 3; not of what 3 has alone
        assert found.half_width == pytest.approx(4.303 * (1 / 3) ** 0.5 / 3**0.5)
        assert found.is_clear
        assert statistics.difference({0: 1.0}, {1: 1.0}) is None

    def test_a_deviation_pooled_from_samples_with_means_of_their_own(self) -> None:
        assert statistics.pooled([[1.0, 3.0], [11.0, 12.0, 13.0], [7.0]]) == pytest.approx(
            ((2 + 2) / 3) ** 0.5
        )
        assert statistics.pooled([[1.0]]) is None


class TestMeasures:
    def test_of_answers_by_hand(self) -> None:
        logits_NK = np.log(np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]], dtype=np.float32))
        found = measures.measures(logits_NK + 7, np.array([1, 1]))
        assert (found["top1"], found["top5"]) == (0.5, 1.0)
        assert found["loss"] == pytest.approx(-(np.log(0.3) + np.log(0.8)) / 2, rel=1e-5)
        # Of confidence 0.5 none was right, of 0.8 all were.
        assert found["calibration_error"] == pytest.approx((0.5 + 0.2) / 2, rel=1e-5)

    def test_the_calibration_error_is_the_packages(self) -> None:
        """A confidence of 1/3 is on an edge, and belongs to the bin below it."""
        logits_NK = np.log(np.array([[1, 1, 1], [0.3, 0.36, 0.34]], dtype=np.float32))
        found = measures.measures(logits_NK, np.array([0, 0]))
        assert found["calibration_error"] == pytest.approx((2 / 3 + 0.36) / 2)

    def test_confidences_of_one_bin_make_up_for_each_other(self) -> None:
        posteriors_NK = np.array([[0.61, 0.39], [0.62, 0.38], [1.0, 1e-9]], dtype=np.float32)
        found = measures.measures(np.log(posteriors_NK), np.array([0, 1, 0]))
        assert found["calibration_error"] == pytest.approx((1.23 - 1) / 3)


class TestNets:
    def test_single_kernels_see_as_much_as_the_stacks(self) -> None:
        for config in ("B", "D"):
            fields = []
            for net in (config, nets.single_kernels(config)):
                layers = analyze(replace(SMALL.recipe, config=net).spec(50)).layers
                fields.append([each.receptive_field for each in layers if each.type == "maxpool"])
            assert fields[0] == fields[1]
        assert nets.single_kernels("D").startswith(
            "conv5-64 / maxpool / conv5-128 / maxpool / conv7"
        )

    def test_linear_stacks_keep_the_last_relu_alone(self) -> None:
        net = nets.linear_between("D")
        assert "/ conv3-256-linear conv3-256-linear conv3-256 / maxpool /" in net
        assert nets.linear_between("A").startswith(
            "conv3-64 / maxpool / conv3-128 / maxpool / conv3-256-linear"
        )

    def test_as_many_pools_go_as_leave_the_map(self) -> None:
        assert nets.with_map_of(4, "D", 32).count("maxpool") == 3
        assert nets.with_map_of(7, "D", 224) == nets.rows("D")

    def test_equal_macs(self) -> None:
        kernels = CLAIMS[0]
        costs = {}
        for arm in kernels.arms:
            spec = recipe(SMALL, arm.changes, 0.1, 0).spec(50)
            costs[arm.name] = analyze(spec).macs
        assert costs["B 5x5 at equal MACs"] == pytest.approx(costs["B"], rel=0.02)
        assert costs["D 7x7 at equal MACs"] == pytest.approx(costs["D"], rel=0.02)
        assert costs["11x11 and 5x5 at D's MACs"] == pytest.approx(costs["D"], rel=0.02)


@pytest.mark.parametrize("scale", ["small", "full"])
def test_every_arm_of_every_scale_is_a_net(scale: str) -> None:
    for claim in experiments.claims(",".join(experiments.CLAIMS)):
        for arm in claim(SCALES[scale]).arms:
            recipe(SCALES[scale], arm.changes, 0.1, 0).spec(50)


def test_arms_of_one_name_are_one_net_in_all_claims() -> None:
    found: dict[str, Recipe] = {}
    for claim in CLAIMS:
        for arm in claim.arms:
            asked = recipe(SMALL, arm.changes, 0.1, 0)
            assert found.setdefault(arm.name, asked) == asked, arm.name


def test_a_claim_knows_its_arms() -> None:
    with pytest.raises(ValueError, match="differences of \\['B'\\]"):
        Claim("mine", (Arm("A"),), (("A", "B"),))


TWO = Claim("two", (Arm("A", {"config": "A"}), Arm("B", {"config": "B"})), (("B", "A"),), seeds=2)


def result(of: Recipe | None, top1: float, **more: Any) -> dict[str, Any]:
    assert of is not None
    part = {"images": 100, "top1": top1, "top5": 0.9, "loss": 1.5, "calibration_error": 0.05}
    return {
        "recipe": of.to_json(),
        "net": of.config,
        "parameters": 1000,
        "macs": 2_500_000,
        "device": "a processor",
        "torch": "2",
        **dict.fromkeys(("choosing", "kept_apart", "validation"), part),
        **more,
    }


def filled(path: Path, claim: Claim, top1: dict[str, list[float]]) -> Results:
    """Results of the claim: for each arm a rate, 0.06, and then a run a seed."""
    results = Results(path / "small.jsonl", THREE_RATES)
    for arm in claim.arms:
        for rate in THREE_RATES.rates:
            results.add(result(results.rate_recipe(arm, rate), 0.3 if rate == 0.06 else 0.2))
        for seed, value in enumerate(top1[arm.name]):
            results.add(result(recipe(THREE_RATES, arm.changes, 0.06, seed), value))
    return results


class TestResults:
    def test_what_is_kept_is_found_again(self, tmp_path: Path) -> None:
        filled(tmp_path, TWO, {"A": [0.4, 0.42], "B": [0.5]})
        again = Results(tmp_path / "small.jsonl", THREE_RATES)
        assert len(list(again)) == 9
        assert set(again.runs(TWO.arm("A"), 2)) == {0, 1}
        assert set(again.runs(TWO.arm("B"), 2)) == {0}

    def test_a_line_that_was_cut_off_is_no_result(self, tmp_path: Path) -> None:
        results = filled(tmp_path, TWO, {"A": [0.4], "B": [0.5]})
        whole = results.path.read_text()
        results.path.write_text(whole[:-20])
        cut = Results(results.path, THREE_RATES)
        assert len(list(cut)) == 7
        cut.add(result(recipe(THREE_RATES, {"config": "B"}, 0.06, 0), 0.5))
        assert results.path.read_text() == whole

    def test_the_rate_is_the_best_on_the_pictures_for_choosing(self, tmp_path: Path) -> None:
        results, arm = Results(tmp_path / "small.jsonl", THREE_RATES), TWO.arms[0]
        for rate, top1 in ((0.2, 0.3), (0.06, 0.3), (0.02, 0.1)):
            assert results.rate(arm) is None
            assert results.recipe(arm, 0) is None
            results.add(result(results.rate_recipe(arm, rate), top1))
        assert results.rate(arm) == 0.06  # of two as good the lower
        assert results.rate(replace(arm, tuned=False)) == 0.02

    def test_a_rate_at_which_it_diverged_is_the_worst(self, tmp_path: Path) -> None:
        results, arm = Results(tmp_path / "small.jsonl", THREE_RATES), TWO.arms[0]
        for rate in THREE_RATES.rates:
            more = {"diverged": "at step 3"} if rate != 0.2 else {}
            results.add(result(results.rate_recipe(arm, rate), 0.02, **more))
        assert results.rate(arm) == 0.2


class TestJobs:
    def test_claim_by_claim_rates_then_seed_by_seed(self, tmp_path: Path) -> None:
        results = Results(tmp_path / "small.jsonl", THREE_RATES)
        one = Claim("one", (Arm("C", {"config": "C"}, tuned=False),), (), seeds=1)
        asked = jobs.all_jobs([TWO, one], results)
        assert [job.name for job in asked] == [
            *(f"{arm}, rate {rate}" for arm in "AB" for rate in (0.02, 0.06, 0.2)),
            "A, seed 0", "B, seed 0", "A, seed 1", "B, seed 1", "C, seed 0",
        ]  # fmt: skip
        assert jobs.to_do(asked, results) == asked
        assert len(jobs.all_jobs([TWO, one], results, seeds=1)) == 9

    def test_what_is_done_or_asked_for_twice_is_left_out(self, tmp_path: Path) -> None:
        results = filled(tmp_path, TWO, {"A": [0.4], "B": []})
        asked = jobs.all_jobs([TWO, TWO], results)
        left = jobs.to_do(asked, results)
        assert [job.name for job in left] == ["B, seed 0", "A, seed 1", "B, seed 1"]

    def test_weights_of_another_run_are_waited_for(self, tmp_path: Path) -> None:
        drawn = {"config": "A", "batch_norm": False}
        source = Arm("A", drawn)
        deeper = Arm("D", drawn | {"config": "D"}, weights_of={"init_from": source})
        claim = Claim("from", (deeper,), (), seeds=1)
        results = Results(tmp_path / "small.jsonl", THREE_RATES)
        asked = jobs.all_jobs([claim], results)
        assert len(jobs.distinct(asked, results)) == 4  # three trials that wait, and the run
        assert [job.recipe(results) for job in asked] == [None] * 4
        for rate in THREE_RATES.rates:
            results.add(result(results.rate_recipe(source, rate), 0.3 if rate == 0.06 else 0.2))
        run = recipe(THREE_RATES, drawn, 0.06, 0)
        trial = asked[0].recipe(results)
        assert trial is not None
        assert trial.init_from == weights_name(run)
        assert not asked[0].is_ready(results)
        results.add(result(run, 0.4))
        assert asked[0].is_ready(results)
        results.add(result(run, 0.0, diverged="the loss is nan"))
        assert jobs.to_do(asked, results) == []

    def test_a_net_is_tested_once_it_is_trained(self, tmp_path: Path) -> None:
        arm = Arm("A", {"config": "A"}, tuned=False, protocol="single")
        claim = Claim("views", (arm, replace(arm, name="A too", protocol="both")), (), seeds=1)
        results = Results(tmp_path / "small.jsonl", THREE_RATES)
        asked = jobs.all_jobs([claim], results)
        left = jobs.to_do(asked, results)
        assert [(job.name, job.is_ready(results)) for job in left] == [
            ("A, seed 0", True), ("A, seed 0, tested", False), ("A too, seed 0, tested", False),
        ]  # fmt: skip
        results.add(result(recipe(THREE_RATES, arm.changes, 0.02, 0), 0.4))
        results.add(result(recipe(THREE_RATES, arm.changes, 0.02, 0), 0.5, what="single"))
        assert [job.name for job in jobs.to_do(asked, results)] == ["A too, seed 0, tested"]
        assert page.accuracies(claim, Results(results.path, THREE_RATES)) == {
            "A": {0: 50.0},
            "A too": {},
        }

    def test_pictures_of_jittered_sides_are_stored_as_they_are(self) -> None:
        arm = Arm("A", {"short_side": "37"}, protocol="single")
        assert jobs.Job(arm).sides(THREE_RATES) == {37}
        assert jobs.Job(arm, what="single").sides(THREE_RATES) == {37, 64}
        assert jobs.Job(Arm("A", {"short_side": "37-73"})).sides(THREE_RATES) == {64}


class TestPage:
    TEXT = "a\n<!-- results two -->\nold\n<!-- end of two -->\n\nIt holds.\n\nb\n"

    def test_tables_stand_between_their_marks(self, tmp_path: Path) -> None:
        results = filled(tmp_path, TWO, {"A": [0.40, 0.42], "B": [0.50, 0.53]})
        text = page.with_tables(self.TEXT, [TWO], results, "en")
        assert text.startswith("a\n<!-- results two -->\n![two](figures/two.svg)\n")
        assert text.endswith("<!-- end of two -->\n\nIt holds.\n\nb\n")
        assert "| A | 1,000 | 0.0 | 2.5 M | 0.06 | 41.0 ± 12.7 | 2 |" in text
        assert "| B − A | **+10.5 ± 6.4** | 2 |" in text
        assert "Seeds alone move these differences by 0.7 points" in text
        assert page.with_tables(text, [TWO], results, "en") == text
        assert page.conclusion(text, TWO) == "It holds."
        chinese = page.with_tables(self.TEXT, [TWO], results, "zh")
        assert "| B − A | **+10.5 ± 6.4** | 2 |" in chinese
        assert "![two](figures/two.zh-CN.svg)" in chinese

    def test_times_stand_beside_what_was_found(self, tmp_path: Path) -> None:
        results = filled(tmp_path, TWO, {"A": [0.40], "B": [0.50]})
        where = {"machine": "M", "instruction_set": "avx2", "threads": 2, "batch": 16}
        found = where | {"nets": {"A": {"native": 0.25}}}
        (tmp_path / "times.json").write_text(json.dumps(found))
        text = page.with_tables(self.TEXT, [replace(TWO, timed=True)], results, "en")
        assert "| top-1, % | seeds | ms, native |" in text
        assert "| 40.0 | 1 | 0.250 |" in text
        assert "| 50.0 | 1 |  |" in text
        assert "\nms: milliseconds a picture in batches of 16, 2 threads, M (avx2).\n" in text
        assert "ms" not in page.with_tables(self.TEXT, [TWO], results, "en")

    def test_one_seed_alone_is_no_interval(self, tmp_path: Path) -> None:
        results = filled(tmp_path, TWO, {"A": [0.40], "B": [0.50]})
        assert "| B − A | +10.0 | 1 |" in page.with_tables(self.TEXT, [TWO], results, "en")

    def test_runs_that_diverged_are_named(self, tmp_path: Path) -> None:
        results = filled(tmp_path, TWO, {"A": [0.40], "B": []})
        diverged = recipe(THREE_RATES, {"config": "B"}, 0.06, 0)
        results.add(result(diverged, 0.0, diverged="the loss is nan"))
        text = page.with_tables(self.TEXT, [TWO], results, "en")
        assert "| B | 1,000 | 0.0 | 2.5 M | 0.06 | diverged | 1 |" in text
        assert "B − A" not in text  # it has no accuracy that could be subtracted

    def test_nothing_was_run(self, tmp_path: Path) -> None:
        results = Results(tmp_path / "small.jsonl", THREE_RATES)
        assert "-->\nNot run yet.\n<!--" in page.with_tables(self.TEXT, [TWO], results, "en")

    def test_rates_alone(self, tmp_path: Path) -> None:
        results = filled(tmp_path, TWO, {"A": [], "B": []})
        text = page.with_tables(self.TEXT, [TWO], results, "en")
        assert "-->\nRates chosen; seeds not run yet: 6 of 10 runs done.\n" in text
        assert "| A | 20.0 | **30.0** | 20.0 |" in text
        assert "in bold. One seed, and no claim.\n" in text  # 0.2, the highest, is best of none
        assert not page.has_a_seed(TWO, results)
        assert ".svg" not in text

    def test_a_conclusion_needs_a_seed_of_every_net(self, tmp_path: Path) -> None:
        results = filled(tmp_path, TWO, {"A": [0.4, 0.42], "B": []})
        text = page.with_tables(self.TEXT, [TWO], results, "en")
        assert "no seed has run in every net yet: 8 of 10 runs done." in text
        assert not page.has_a_seed(TWO, results)
        results.add(result(recipe(THREE_RATES, {"config": "B"}, 0.06, 1), 0.5))
        assert page.has_a_seed(TWO, results)
        assert "\n9 of 10 runs done.\n" in page.with_tables(self.TEXT, [TWO], results, "en")

    def test_arms_that_are_only_tried_have_no_runs(self, tmp_path: Path) -> None:
        (a, b), results = TWO.arms, filled(tmp_path, TWO, {"A": [0.4, 0.42], "B": []})
        claim = replace(TWO, arms=(a, replace(b, only_tried=True)))
        assert page.has_a_seed(claim, results)
        text = page.with_tables(self.TEXT, [claim], results, "en")
        assert "runs done" not in text
        assert "| B | 20.0 | **30.0** | 20.0 |" in text
        both = filled(tmp_path / "of-another-claim", TWO, {"A": [0.4], "B": [0.5]})
        assert page.accuracies(claim, both) == {"A": {0: 40.0}, "B": {}}
        assert "B − A" not in page.tables(claim, both, "en")

    def test_a_highest_rate_that_is_the_best_is_told_of(self, tmp_path: Path) -> None:
        results = Results(tmp_path / "small.jsonl", THREE_RATES)
        for rate in THREE_RATES.rates:
            results.add(result(results.rate_recipe(TWO.arms[0], rate), rate))
        text = page.with_tables(self.TEXT, [TWO], results, "en")
        assert "Rates are being chosen: 3 of 10 runs done." in text
        assert "In 1 of 1 nets the highest rate is the best" in text

    def test_a_net_that_is_tested_in_two_ways_was_tried_once(self, tmp_path: Path) -> None:
        a = TWO.arms[0]
        arms = (replace(a, protocol="single"), replace(a, name="A too", protocol="both"))
        results = filled(tmp_path, TWO, {"A": [0.4], "B": []})
        text = page.tables(replace(TWO, arms=arms, differences=()), results, "en")
        assert text.count("| 20.0 | **30.0** | 20.0 |") == 1

    def test_what_find_lr_says_stands_beside_the_best_rate(self, tmp_path: Path) -> None:
        claim = next(claim for claim in CLAIMS if claim.name == "learning_rate")
        results = Results(tmp_path / "small.jsonl", THREE_RATES)
        asked = results.recipe(claim.range_tests[0], 0)
        assert asked is not None
        found = {"suggestion": 0.3, "interval": [0.01, 0.6]}
        results.add(result(asked, 0.0, what="find-lr", find_lr=found))
        for arm, top1 in zip(claim.arms[2:4], (0.3, 0.4), strict=True):
            results.add(result(recipe(THREE_RATES, arm.changes, 0.02, 0), top1))
        text = page.tables(claim, results, "en")
        assert "| D, batch norm | 0.3 | 0.01 – 0.6 | 0.06 |" in text

    def test_a_page_without_a_place_for_a_claim(self, tmp_path: Path) -> None:
        results = Results(tmp_path / "small.jsonl", THREE_RATES)
        with pytest.raises(ValueError, match="not one place for claim two"):
            page.with_tables("nothing", [TWO], results, "en")


@pytest.mark.parametrize("below", [None, (0.1, 1.0), ("x", "y")])
def test_a_figure_is_the_same_each_time(below: Any, tmp_path: Path) -> None:
    series = (Series("s", dict(zip(below, "AB", strict=True))),) if below else ()
    claim = replace(TWO, series=series)
    found = {"A": {0: 40.0, 1: 42.0, 2: 43.0}, "B": {0: 50.0}}
    for name in ("one.svg", "two.svg"):
        figures.draw(claim, found, tmp_path / name)
    one, two = ((tmp_path / name).read_bytes() for name in ("one.svg", "two.svg"))
    assert one == two
    assert one.startswith(b"<?xml")
    figures.draw(claim, {**found, "B": {0: 51.0}}, tmp_path / "two.svg")
    assert (tmp_path / "two.svg").read_bytes() != one


def texts_in(figure: Path) -> set[str]:
    return set(re.findall("<text[^>]*>([^<]*)</text>", figure.read_text()))


def test_a_figure_names_nets_in_its_language(tmp_path: Path) -> None:
    arms = (Arm("B", {"config": "B"}), Arm("one FC", {"config": "A"}))
    claim, found = Claim("two", arms, ()), {"B": {0: 40.0}, "one FC": {0: 41.0}}
    texts = {}
    for language in page.LANGUAGES:
        figures.draw(claim, found, tmp_path / "two.svg", language)
        texts[language] = texts_in(tmp_path / "two.svg")
    assert {"B", "one FC", "top-1, %"} <= texts["en"]
    assert {"B", "单个全连接层", "top-1，%"} <= texts["zh"]


def test_every_net_has_a_name_in_chinese() -> None:
    names = {arm.name for claim in CLAIMS for arm in (*claim.arms, *claim.range_tests)}
    same = r"TrivialAugment|CutMix|mixup|Glorot"  # as the field writes them in both languages
    names |= {series.name for claim in CLAIMS for series in claim.series}
    for name in names:
        chinese = titles.title(name, "zh")
        assert not re.search(r"[a-z]{2}", re.sub(same, "", chinese)), chinese
        assert titles.title(name, "en") == name


@pytest.mark.parametrize("language", page.LANGUAGES)
def test_the_pages_say_what_the_results_say(language: str) -> None:
    """After new results: python experiments/summarize.py, then write what is to be concluded."""
    results = Results(EXPERIMENTS / "results" / "small.jsonl", SMALL)
    text = (EXPERIMENTS / page.LANGUAGES[language]).read_text()
    assert page.with_tables(text, CLAIMS, results, language) == text
    for claim in CLAIMS:
        concluded = page.conclusion(text, claim) != page.UNFINISHED[language]
        found = page.has_a_seed(claim, results)
        assert concluded == found, f"{claim.name}: results and conclusion go together"
        figure = EXPERIMENTS / "figures" / page.figure_name(claim.name, language)
        assert figure.exists() == found


class TestOverview:
    def test_rows_are_nets_that_their_claims_run(self) -> None:
        run = {(claim.name, arm.name) for claim in CLAIMS for arm in claim.run_arms}
        for row in overview.ROWS:
            assert {(row.claim, row.better), (row.claim, row.worse)} <= run, row

    @pytest.mark.parametrize("language", page.LANGUAGES)
    def test_the_figure_says_what_the_results_say(self, language: str) -> None:
        results = Results(EXPERIMENTS / "results" / "small.jsonl", SMALL)
        found = overview.differences(CLAIMS, results)
        texts = texts_in(EXPERIMENTS / "figures" / page.figure_name("overview", language))
        for row, value in found.items():
            assert {getattr(row, language), overview.value(value, language)} <= texts
        assert not {getattr(row, language) for row in overview.ROWS if row not in found} & texts

    def test_one_seed_is_said_to_be_one(self) -> None:
        assert overview.value(statistics.estimate([-0.25]), "en") == "-0.2 (one seed)"
        assert overview.value(statistics.estimate([1.0, 2.0, 3.0]), "zh") == "+2.0 ± 2.5"


class TestEvidence:
    BENCHMARKS = EXPERIMENTS.parent / "benchmarks" / "results"

    def found(self, path: Path, top1: dict[str, list[float]]) -> Any:
        four = [replace(TWO, name=name) for name in evidence.QUOTED]
        text = evidence.evidence(four, filled(path, TWO, top1), self.BENCHMARKS)
        return json.loads(text)["claims"]["depth"]

    def test_means_and_differences_with_their_intervals(self, tmp_path: Path) -> None:
        found = self.found(tmp_path, {"A": [0.40, 0.42], "B": [0.50, 0.53]})
        first = {"mean": 41.0, "half_width": 12.706, "seeds": 2, "runs": [40.0, 42.0]}
        assert found["arms"][0] == {
            "name": "A", "chinese": "A", "parameters": 1000, "macs": 2_500_000, "top1": first
        }  # fmt: skip
        points = {"mean": 10.5, "half_width": 6.353, "seeds": 2}
        assert found["differences"] == [{"one": "B", "other": "A", "points": points}]

    def test_a_claim_without_a_seed_of_every_net_is_null(self, tmp_path: Path) -> None:
        assert self.found(tmp_path, {"A": [0.40, 0.42], "B": []}) is None

    def test_a_net_that_diverged_has_no_accuracy(self, tmp_path: Path) -> None:
        results = filled(tmp_path, TWO, {"A": [0.40], "B": []})
        diverged = recipe(THREE_RATES, {"config": "B"}, 0.06, 0)
        results.add(result(diverged, 0.0, diverged="the loss is nan"))
        four = [replace(TWO, name=name) for name in evidence.QUOTED]
        found = json.loads(evidence.evidence(four, results, self.BENCHMARKS))["claims"]["head"]
        assert found["arms"][1]["top1"] is None
        assert found["differences"] == []

    def test_the_page_quotes_what_the_results_say(self) -> None:
        """After new results, of benchmarks too: python experiments/summarize.py."""
        results = Results(EXPERIMENTS / "results" / "small.jsonl", SMALL)
        expected = evidence.evidence(CLAIMS, results, self.BENCHMARKS)
        assert (EXPERIMENTS.parent / evidence.PATH).read_text() == expected


def test_the_pages_describe_the_scale() -> None:
    recipe, each = SMALL.recipe, 500 - SMALL.choosing - SMALL.kept_apart
    *lower, highest = SMALL.rates
    expected = {
        "en": [
            f"{len(recipe.epoch_sizes)} epochs in batches of {recipe.batch_size}",
            f"{recipe.input_size} x {recipe.input_size} pixels, {SMALL.classes} classes",
            f"{each} pictures are trained on, {SMALL.choosing} are there to choose",
            f"best of {', '.join(map(str, lower))} and {highest} after {SMALL.rate_epochs} epochs",
        ],
        "zh": [
            f"{len(recipe.epoch_sizes)} 轮，批大小 {recipe.batch_size}",
            f"{recipe.input_size} x {recipe.input_size} 像素",
            f"{each} 张图片用于训练，{SMALL.choosing} 张用来选",
            f"{'、'.join(map(str, SMALL.rates))} 中训练 {SMALL.rate_epochs} 轮",
        ],
    }
    for language, name in page.LANGUAGES.items():
        text = " ".join((EXPERIMENTS / name).read_text().split())
        assert [each for each in expected[language] if each not in text] == []
    assert (recipe.width, recipe.label_smoothing, recipe.precision) == (0.25, 0.1, "fp32")


def test_results_keep_the_command_without_the_folders_of_a_machine() -> None:
    words = [
        "here/run.py",
        "there/data",
        "--claims",
        "head",
        "--work",
        "a/b",
        "--jobs",
        "2",
        "--out=c",
        "--device",
        "cpu",
    ]
    found = command.recorded(words, Path("there/data"))
    assert found == "run.py DATA --claims head --jobs 2 --device cpu"
    for line in (EXPERIMENTS / "results" / "small.jsonl").read_text().splitlines():
        assert "/" not in json.loads(line)["command"]
