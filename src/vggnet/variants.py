"""Networks that are varied: how a picture's size is written, and what a net is then called.

In: texts of people, and Specs. Out: heights and widths, and titles.
"""

from __future__ import annotations

import re
from reprlib import repr as short_repr

from vggnet.configurations import configuration
from vggnet.layers import LARGEST
from vggnet.spec import Head, Spec


def parse_size(text: str) -> tuple[int, int]:
    """Height and width in pixels of "224", "256x320" or "256×320". Raises ValueError for others."""
    match = re.fullmatch(r"([0-9]{1,7})(?:[xX×]([0-9]{1,7}))?", text.strip())
    if not match:
        raise ValueError(
            f"input size {short_repr(text)}: give a side or HEIGHTxWIDTH, as 224 or 256x320, "
            f"of at most {LARGEST:,}"
        )
    return int(match[1]), int(match[2] or match[1])


def title_of(spec: Spec, asked: str) -> str:
    """The paper's name, the one `asked` for where it is another configuration's name, and in what
    but the input size the spec differs from the paper's net.
    """
    try:
        paper = configuration(spec.name)
    except ValueError:
        return spec.name
    changes = [asked.strip()] if _is_other_name(asked, spec.name) else []
    if spec.batch_norm != paper.batch_norm:
        changes.append("batch norm" if spec.batch_norm else "no batch norm")
    head: Head | None = "average" if "avgpool" in spec.tokens else None
    width = _width(spec, paper.scaled(head=head, num_classes=spec.num_classes))
    if width is None:
        changes.append("other layers")
    elif width != 1:
        changes.append(f"width {width:.6g}")
    if head:
        changes.append("global average")
    if spec.num_classes != paper.num_classes:
        changes.append(f"{spec.num_classes:,} classes" if spec.num_classes else "no head")
    return f"{spec.name} ({', '.join(changes)})" if changes else spec.name


def _is_other_name(asked: str, name: str) -> bool:
    """Whether it is a configuration's name, and not only spelled in another case."""
    try:
        return configuration(asked).name == name and asked.strip().lower() != name.lower()
    except ValueError:
        return False


def _width(spec: Spec, paper: Spec) -> float | None:
    """A factor that makes the paper's channels the spec's, in the fewest digits; None: no such."""
    mine, papers = (
        [layer.output[0] for layer in each.layers if layer.kind in ("conv", "fc")]
        for each in (spec, paper)
    )
    if len(mine) != len(papers):
        return None
    pairs = list(zip(mine, papers, strict=True))[: -1 if spec.num_classes else None]
    # Each number was rounded, and none goes below 1.
    low = max(((count - 0.5) / of_paper for count, of_paper in pairs if count > 1), default=0.0)
    high = min((count + 0.5) / of_paper for count, of_paper in pairs)
    widths = (round((low + high) / 2, digits) for digits in range(1, 10))
    return next((w for w in widths if w > 0 and paper.scaled(w).tokens == spec.tokens), None)
