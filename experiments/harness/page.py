"""The tables of README.md and README.zh-CN.md, between marks, and nothing else of them.

In: a page's text, claims, results. Out: the text with its tables as the results give them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.claims import Arm, Claim
from harness.figures import Accuracies
from harness.jobs import all_jobs, distinct, to_do
from harness.results import RANGE_TEST, Results, accuracy, measure
from harness.statistics import Estimate, difference, estimate, interval, pooled
from harness.titles import title

LANGUAGES = {"en": "README.md", "zh": "README.zh-CN.md"}
UNFINISHED = {"en": "To be concluded.", "zh": "尚待下结论。"}
_WORDS = {
    "en": {
        "language": "en", "net": "net", "parameters": "parameters", "macs": "MACs", "rate": "rate",
        "top1": "top-1, %", "seeds": "seeds", "loss": "loss", "diverged": "diverged",
        "calibration_error": "calibration error", "difference": "difference",
        "points": "points of top-1", "none": "Not run yet.", "megabytes": "MB in fp32",
        "spread": "Seeds alone move these differences by {deviation:.1f} points (standard "
                  "deviation): {seeds} seeds show differences of {least:.1f} points or more.",
        "on": "Run on {devices}.",
        "timed": "ms: milliseconds a picture in batches of {batch}, {threads} threads, {machine} "
                 "({instruction_set}).",
        "choosing": "Rates are being chosen: {done} of {asked} runs done.",
        "chosen": "Rates chosen; seeds not run yet: {done} of {asked} runs done.",
        "partly": "Rates chosen; no seed has run in every net yet: {done} of {asked} runs done.",
        "going": "{done} of {asked} runs done.",
        "trials": "The choice of rates: top-1, %, on the pictures for choosing after {epochs} "
                  "epochs, the rate chosen in bold. One seed, and no claim.",
        "edge": "In {edge} of {tuned} nets the highest rate is the best of those tried, so that a "
                "higher one may be better still.",
        "at": "rate {rate:g}", "find-lr": "find-lr suggests", "interval": "its interval",
        "best": "best of the rates run",
    },
    "zh": {
        "language": "zh", "net": "网络", "parameters": "参数量", "macs": "乘加次数",
        "rate": "学习率",
        "top1": "top-1，%", "seeds": "种子数", "loss": "损失", "diverged": "发散",
        "calibration_error": "校准误差", "difference": "差", "points": "top-1 百分点",
        "none": "尚未运行。", "megabytes": "fp32 大小，MB",
        "spread": "仅换种子，这些差就会变动 {deviation:.1f} 个百分点（标准差）："
                  "{seeds} 个种子能分辨 {least:.1f} 个百分点以上的差。",
        "on": "运行于 {devices}。",
        "timed": "ms：每张图片的毫秒数，批大小 {batch}，{threads} 个线程，{machine}"
                 "（{instruction_set}）。",
        "choosing": "正在选学习率：{asked} 次运行已完成 {done} 次。",
        "chosen": "学习率已选定，各种子尚未运行：{asked} 次运行已完成 {done} 次。",
        "partly": "学习率已选定，还没有一个种子跑完所有网络：{asked} 次运行已完成 {done} 次。",
        "going": "{asked} 次运行已完成 {done} 次。",
        "trials": "学习率的选择：训练 {epochs} 轮后在选择用图片上的 top-1（%），选定的用粗体。"
                  "只有一个种子，不是结论。",
        "edge": "{tuned} 个网络中有 {edge} 个以所试的最高学习率为最好，更高的也许还要好。",
        "at": "学习率 {rate:g}", "find-lr": "find-lr 的建议", "interval": "其区间",
        "best": "所运行的学习率中最好的",
    },
}  # fmt: skip


def accuracies(claim: Claim, results: Results) -> dict[str, dict[int, float]]:
    """Top-1 in percent on the pictures for testing, by arm and seed, without runs that diverged.

    An arm that the claim only tries has none, though another claim may have run its net.
    """
    return {
        arm.name: {
            seed: 100 * accuracy(result)
            for seed, result in results.runs(arm, claim.seeds).items()
            if "diverged" not in result and not arm.only_tried
        }
        for arm in claim.arms
    }


def has_a_seed(claim: Claim, results: Results) -> bool:
    """Whether one seed at least has run in every arm: what a conclusion needs."""
    seeds = [set(results.runs(arm, claim.seeds)) for arm in claim.run_arms]
    return bool(seeds and set.intersection(*seeds))


def with_tables(text: str, claims: Iterable[Claim], results: Results, language: str) -> str:
    """The page with the tables of these claims. Raises ValueError where a claim has no marks."""
    for claim in claims:
        begin, end = f"<!-- results {claim.name} -->\n", f"<!-- end of {claim.name} -->"
        if (text.count(begin), text.count(end)) != (1, 1):
            raise ValueError(f"the page has not one place for claim {claim.name}: {begin}{end}")
        before, rest = text.split(begin)
        _, after = rest.split(end)
        text = before + begin + tables(claim, results, language) + end + after
    return text


def conclusion(text: str, claim: Claim) -> str:
    """What the page concludes from a claim's results: the paragraph after its table's end."""
    rest = text.partition(f"<!-- end of {claim.name} -->")[2]
    return rest.strip().partition("\n\n")[0].partition("\n#")[0]


def tables(claim: Claim, results: Results, language: str) -> str:
    """How far it is, figure, arms, differences, trials; or that there are no results yet."""
    words, found = _WORDS[language], accuracies(claim, results)
    state = _state(claim, results, words)
    parts = [f"{state}\n"] if state else []
    if has_a_seed(claim, results):
        parts.append(f"![{claim.name}](figures/{figure_name(claim.name, language)})\n")
    if any(results.runs(arm, claim.seeds) for arm in claim.run_arms):
        parts.append(_arms(claim, results, words))
    if any(difference(found[one], found[other]) for one, other in claim.differences):
        parts.append(_differences(claim, found, words))
    for table in (_range_tests(claim, found, results, words), _trials(claim, results, words)):
        if table:
            parts.append(table)
    devices = {
        f"{result['device']}, torch {result['torch']}"
        for arm in claim.arms
        for result in (*results.runs(arm, claim.seeds).values(), *_tried(arm, results).values())
        if result
    }
    if devices:
        parts.append(words["on"].format(devices="; ".join(sorted(devices))) + "\n")
    return "\n".join(parts)


def figure_name(name: str, language: str) -> str:
    """Of the figure with the words of that language, in figures/."""
    return f"{name}{'' if language == 'en' else '.zh-CN'}.svg"


def _state(claim: Claim, results: Results, words: dict[str, str]) -> str:
    """How many of the claim's runs are done; nothing where all are."""
    asked = distinct(all_jobs([claim], results), results)
    left = to_do(asked, results)
    done = {"done": len(asked) - len(left), "asked": len(asked)}
    if not left:
        return ""
    if not done["done"]:
        return words["none"]
    if has_a_seed(claim, results):
        return words["going"].format(**done)
    if any(job.rate for job in left):
        return words["choosing"].format(**done)
    some = any(results.runs(arm, claim.seeds) for arm in claim.run_arms)
    return words["partly" if some else "chosen"].format(**done)


def _tried(arm: Arm, results: Results) -> dict[float, dict[str, Any] | None]:
    """The trials of a tuned arm's rates, those that there are."""
    found = results.trials(arm) if arm.tuned and len(results.scale.rates) > 1 else {}
    return found if any(found.values()) else {}


def _trials(claim: Claim, results: Results, words: dict[str, str]) -> str:
    """What each rate gave in the short runs that it was chosen by; nothing without any."""
    # Arms that are one net tested in several ways were tried once.
    nets = {results.rate_recipe(arm, results.scale.rates[0]): arm for arm in claim.arms[::-1]}
    tried = {arm.name: _tried(arm, results) for arm in claim.arms if arm in nets.values()}
    tried = {name: trials for name, trials in tried.items() if trials}
    if not tried:
        return ""
    rows, highest = [], 0
    for name, trials in tried.items():
        chosen = results.rate(claim.arm(name))
        highest += chosen == max(results.scale.rates)
        cells = {rate: _trial(trial, words) for rate, trial in trials.items()}
        if chosen is not None and "diverged" not in trials[chosen]:  # as all may have
            cells[chosen] = f"**{cells[chosen]}**"
        rows.append([title(name, words["language"]), *cells.values()])
    epochs = {claim.arm(name).rate_epochs or results.scale.rate_epochs for name in tried}
    caption = words["trials"].format(epochs=" / ".join(map(str, sorted(epochs))))
    if highest:
        caption += " " * (words is _WORDS["en"])
        caption += words["edge"].format(edge=highest, tuned=len(tried))
    heads = [words["net"], *(words["at"].format(rate=rate) for rate in results.scale.rates)]
    return f"{caption}\n\n{_table(heads, rows)}"


def _trial(trial: dict[str, Any] | None, words: dict[str, str]) -> str:
    if trial is None:
        return ""
    return words["diverged"] if "diverged" in trial else f"{100 * accuracy(trial, 'choosing'):.1f}"


def _range_tests(claim: Claim, found: Accuracies, results: Results, words: dict[str, str]) -> str:
    """What find-lr says of a series of rates beside the best of them; nothing without any."""
    rows = []
    for series, arm in zip(claim.series, claim.range_tests, strict=False):
        recipe = results.recipe(arm, 0)
        result = recipe and results.find(recipe, RANGE_TEST)
        if result:
            said, ran = result["find_lr"], {x: found[arm] for x, arm in series.arms.items()}
            best = max((x for x in ran if ran[x]), key=lambda x: max(ran[x].values()), default="")
            interval = " – ".join(f"{rate:g}" for rate in said["interval"] or ())
            name = title(arm.name, words["language"])
            rows.append([name, f"{said['suggestion'] or '—'}", interval, f"{best}"])
    heads = [words[each] for each in ("net", "find-lr", "interval", "best")]
    return _table(heads, rows) if rows else ""


def _arms(claim: Claim, results: Results, words: dict[str, str]) -> str:
    times = results.times if claim.timed else {}
    engines = list(next(iter(times["nets"].values()))) if times else ()
    heads = ["net", "parameters", "megabytes", "macs", "rate", "top1", *claim.measures, "seeds"]
    rows = [
        _arm(arm, claim, results, words) + [_time(arm, claim, results, times, e) for e in engines]
        for arm in claim.run_arms
        if results.runs(arm, claim.seeds)
    ]
    text = _table([*(words[each] for each in heads), *(f"ms, {each}" for each in engines)], rows)
    return f"{text}\n{words['timed'].format(**times)}\n" if times else text


def _time(arm: Arm, claim: Claim, results: Results, times: dict[str, Any], engine: str) -> str:
    net = next(iter(results.runs(arm, claim.seeds).values()))["net"]
    measured = times["nets"].get(net, {})
    return f"{measured[engine]:.3f}" if engine in measured else ""


def _arm(arm: Arm, claim: Claim, results: Results, words: dict[str, str]) -> list[str]:
    runs = results.runs(arm, claim.seeds)
    first = next(iter(runs.values()))
    top1 = [100 * accuracy(result) for result in runs.values() if "diverged" not in result]
    shown = _interval(estimate(top1), "{:.1f}") if top1 else words["diverged"]
    if 0 < len(top1) < len(runs):
        shown += f" ({len(runs) - len(top1)} {words['diverged']})"
    others = []
    for name in claim.measures:
        values = [measure(result, name) for result in runs.values()]
        known = [value for value in values if value is not None]
        others.append(_interval(estimate(known), "{:.3f}") if known else words["diverged"])
    return [
        title(arm.name, words["language"]),
        f"{first['parameters']:,}",
        f"{4 * first['parameters'] / 1e6:.1f}",
        f"{first['macs'] / 1e6:.1f} M",
        f"{first['recipe']['learning_rate']:g}",
        shown,
        *others,
        str(len(runs)),
    ]


def _differences(claim: Claim, found: Accuracies, words: dict[str, str]) -> str:
    rows, samples = [], []
    for one, other in claim.differences:
        between = difference(found[one], found[other])
        if between is not None:
            names = " − ".join(title(name, words["language"]) for name in (one, other))
            rows.append([names, _interval(between, "{:+.1f}"), str(between.seeds)])
            shared = found[one].keys() & found[other].keys()
            samples.append([found[one][seed] - found[other][seed] for seed in sorted(shared)])
    text = _table([words["difference"], words["points"], words["seeds"]], rows)
    deviation, seeds = pooled(samples), max(map(len, samples))
    if deviation is not None:
        least = interval(deviation, seeds)
        text += "\n" + words["spread"].format(deviation=deviation, seeds=seeds, least=least) + "\n"
    return text


def _interval(value: Estimate, form: str) -> str:
    """ "41.2 ± 0.8", in bold where a difference is clear."""
    return f"**{value.text(form)}**" if "+" in form and value.is_clear else value.text(form)


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
