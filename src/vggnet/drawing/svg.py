"""A Scene as SVG: one element a shape, colours by class, light or dark as the reader's system is.

In: a Scene. Out: text that stands alone as a file and may also be put into a page. Each box of a
layer carries its names in `data-layers` and the number of its network in `data-network`.
"""

from __future__ import annotations

from html import escape

from vggnet.drawing.scene import Box, Diamond, Rule, Scene, Shape, Words
from vggnet.drawing.theme import DARK, FONTS, LIGHT


def svg(scene: Scene) -> str:
    """The whole drawing as one <svg>."""
    width, height = _number(scene.width), _number(scene.height)
    title = escape(scene.title)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="network" width="{width}" '
            f'height="{height}" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">',
            f"<title>{title}</title>",
            f"<style>{_style()}</style>",
            f'<rect class="ground" width="{width}" height="{height}"/>',
            *map(_element, scene.shapes),
            "</svg>\n",
        ]
    )


def _style() -> str:
    """Colours are written out at each class, since viewers of files know no variables."""
    dark = "".join(_rules(DARK))
    return (
        f".network text{{font-family:{FONTS};font-variant-numeric:tabular-nums}}"
        f"{''.join(_rules(LIGHT))}@media (prefers-color-scheme:dark){{{dark}}}"
    )


def _rules(theme: dict[str, str]) -> list[str]:
    return [
        f".network .{role}{{{'stroke' if role == 'line' else 'fill'}:{colour}}}"
        for role, colour in theme.items()
    ]


def _element(shape: Shape) -> str:
    if isinstance(shape, Box):
        place = " ".join(
            f'{name}="{_number(value)}"'
            for name, value in (
                ("x", shape.x), ("y", shape.y), ("width", shape.width), ("height", shape.height)
            )
        )  # fmt: skip
        if not shape.layers:
            return f'<rect class="{shape.role}" {place}/>'
        names = escape(" ".join(shape.layers))
        return (
            f'<rect class="{shape.role}" {place} data-layers="{names}" '
            f'data-network="{shape.network}"><title>{escape(shape.title)}</title></rect>'
        )
    if isinstance(shape, Words):
        bold = ' font-weight="600"' if shape.bold else ""
        anchor = "" if shape.anchor == "start" else f' text-anchor="{shape.anchor}"'
        return (
            f'<text class="{shape.role}" x="{_number(shape.x)}" y="{_number(shape.y)}" '
            f'font-size="{_number(shape.size)}"{anchor}{bold}>{escape(shape.text)}</text>'
        )
    if isinstance(shape, Rule):
        ends = " ".join(
            f'{name}="{_number(value)}"'
            for name, value in (
                ("x1", shape.x1), ("y1", shape.y1), ("x2", shape.x2), ("y2", shape.y2)
            )
        )  # fmt: skip
        return f'<line class="{shape.role}" {ends}/>'
    corners = " ".join(f"{_number(x)},{_number(y)}" for x, y in corners_of(shape))
    return f'<polygon class="{shape.role}" points="{corners}"/>'


def corners_of(mark: Diamond) -> list[tuple[float, float]]:
    x, y, radius = mark.x, mark.y, mark.radius
    return [(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)]


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
