"""The tables of docs/testing.md and its translation, from benchmarks/results/protocols_*.json.

In: files of results, which paper_protocols.py writes. Out: Markdown between the marks
`<!-- tables -->` and `<!-- end of tables -->` of both pages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parent.parent / "docs"
BEGIN, END = "<!-- tables -->", "<!-- end of tables -->"

_ENGLISH = {
    "title": "`{name}`: {network} at {size} pixels, {head}",
    "pair": "the mean of `{first}` and `{second}`",
    "average": "global average and one FC layer",
    "fc": "three FC layers",
    "about": "{pictures} of {of} {split} pictures of {data}; {scale}; gains over {over}",
    "centre": "one centre crop",
    "net": "`{name}` alone under the same protocol",
    "columns": "| tested | Q | top-1 | top-5 | gain, top-1 | gain, top-5 |",
    "verdict": "{gain}: {says}",
    "helps": "helps",
    "hurts": "hurts",
    "neither": "no difference seen",
    "rows": {},
    "sources": {},
}
_CHINESE = {
    "title": "`{name}`：{network}，{size} 像素，{head}",
    "pair": "`{first}` 与 `{second}` 的平均",
    "average": "全局平均加一个全连接层",
    "fc": "三个全连接层",
    "about": "{data} 的 {split} 部分，{of} 张中的 {pictures} 张；{scale}；提升相对于{over}",
    "centre": "单个中心裁剪",
    "net": "同一测试方式下单独的 `{name}`",
    "columns": "| 测试方式 | Q | top-1 | top-5 | top-1 提升 | top-5 提升 |",
    "verdict": "{gain}：{says}",
    "helps": "有帮助",
    "hurts": "有害",
    "neither": "看不出差别",
    "rows": {
        "centre, mirrored": "centre，加镜像",
        "single, softmax averaged": "single，平均 softmax",
        "multicrop, one scale": "multicrop，单一尺度",
    },
    "sources": {
        ", from the recipe in the weight file": "，取自权重文件中的配方",
        ", from the resize of the weight file, which states no S": "，取自权重文件的 resize",
        ", from the input size of the weight file, which states no S": "，取自其输入尺寸",
    },
}
PAGES: dict[str, dict[str, Any]] = {"testing.md": _ENGLISH, "testing.zh-CN.md": _CHINESE}


def results() -> list[dict[str, Any]]:
    """Those of single nets first, each group by name."""
    found = [json.loads(path.read_text()) for path in RESULTS.glob("protocols_*.json")]
    return sorted(found, key=lambda each: (len(each["nets"]), each["name"]))


def table(found: dict[str, Any], words: dict[str, Any]) -> str:
    """A heading, what was tested, and a line a protocol; intervals hold 95%."""
    first, *others = found["nets"]
    scale = first["training_scale"]
    for ours, theirs in words["sources"].items():
        scale = scale.replace(ours, theirs)
    about = {
        "pictures": f"{found['pictures']:,}",
        "of": f"{found['of']:,}",
        "split": found["split"],
        "data": found["data"],
        "scale": scale,
        "over": words["net"].format(name=found["over"]) if others else words["centre"],
    }
    title = (
        words["pair"].format(first=first["name"], second=others[0]["name"])
        if others
        else words["title"].format(
            name=first["name"], network=first["network"], size=first["input_size"],
            head=words[first["head"]],
        )
    )  # fmt: skip
    lines = [f"### {title}", "", words["about"].format(**about), "", words["columns"]]
    lines.append("|---|---|---|---|---|---|")
    for row in found["rows"]:
        cells = [
            words["rows"].get(row["row"], row["row"]),
            ", ".join(map(str, row["scales"])),
            *(_accuracy(row, name) for name in ("top1", "top5")),
            *(_gain(row, name, words) for name in ("top1", "top5")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _accuracy(row: dict[str, Any], name: str) -> str:
    low, high = row["intervals"][name]
    return f"{100 * row[name]:.1f} ({100 * low:.1f}–{100 * high:.1f})"


def _gain(row: dict[str, Any], name: str, words: dict[str, Any]) -> str:
    """The gain in points, its interval, and what that says."""
    gain, (low, high) = row["gain"][name], row["gain_intervals"][name]
    if gain == low == high == 0:
        return ""
    says = words["helps"] if low > 0 else words["hurts"] if high < 0 else words["neither"]
    text = f"{100 * gain:+.1f} ({100 * low:+.1f}..{100 * high:+.1f})"
    return str(words["verdict"].format(gain=text, says=says))


def tables(found: Iterable[dict[str, Any]], words: dict[str, Any]) -> str:
    return "\n\n".join(table(each, words) for each in found)


def with_tables(page: str, text: str) -> str:
    """The page with `text` between its marks. Raises ValueError for a page without them."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"the page has no {BEGIN} and {END}")
    return pattern.sub(lambda _: f"{BEGIN}\n\n{text}\n\n{END}", page)


def write_docs() -> list[Path]:
    """Both pages with the tables of all results; which pages they are."""
    found = results()
    for name, words in PAGES.items():
        path = DOCS / name
        page = path.read_text(encoding="utf-8")
        path.write_text(with_tables(page, tables(found, words)), encoding="utf-8")
    return [DOCS / name for name in PAGES]
