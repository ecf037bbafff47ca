"""What every picture of the package shares: what a colour means, in light and in dark, and fonts.

The colours of layers are Okabe and Ito's, which people with any form of colour blindness tell
apart; nothing is said by colour alone. A role is a class of the SVG and a key of `LIGHT` and
`DARK`.
"""

from __future__ import annotations

from vggnet.layers import Kind

CONVOLUTION, POOL, CONNECTED, NORMALISATION = "#0072B2", "#E69F00", "#CC79A7", "#009E73"
LIGHT = {
    "ground": "#FFFFFF", "text": "#1A1A1A", "faint": "#5C5C5C", "line": "#DADADA",
    "input": "#8C8C8C", "conv": CONVOLUTION, "pool": POOL, "fc": CONNECTED,
    "norm": NORMALISATION, "mark": "#1A1A1A",
}  # fmt: skip
DARK = LIGHT | {
    "ground": "#121212", "text": "#F0F0F0", "faint": "#A6A6A6", "line": "#3A3A3A",
    "mark": "#F0F0F0",
}  # fmt: skip
FONTS = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', Arial, "
    "'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', 'Noto Sans SC', sans-serif"
)
ROLES: dict[Kind, str] = {
    "conv": "conv", "batchnorm": "norm", "lrn": "norm", "maxpool": "pool", "avgpool": "pool",
    "fc": "fc", "softmax": "input",
}  # fmt: skip
MEANINGS = {
    "input": "input, output", "conv": "convolution", "norm": "normalisation", "pool": "pool",
    "fc": "fully connected",
}  # fmt: skip
