"""Fonts for pictures that are made of pixels, and what a font cannot write.

In: a text and a size. Out: a Pillow font, and the text as it can write it. Pillow's own font, which
is the same on every machine, writes ASCII; a text with other letters, such as Chinese, takes a font
of the system.
"""

from __future__ import annotations

from functools import lru_cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
# Signs that Pillow's font lacks, as it can write them.
_IN_ASCII = str.maketrans({"×": "x", "–": "-", "−": "-", "·": "-", "…": "...", "\u202f": " "})
# Fonts with Chinese characters on Linux, Windows and macOS.
_CHINESE = (
    "NotoSansCJK-Regular.ttc", "NotoSansSC-Regular.otf", "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "msyh.ttc", "simhei.ttf",
    "PingFang.ttc", "Hiragino Sans GB.ttc", "STHeiti Light.ttc", "Arial Unicode.ttf",
)  # fmt: skip


@lru_cache(maxsize=64)
def own_font(size: float) -> Font:
    """Pillow's own."""
    return ImageFont.load_default(size)


@lru_cache(maxsize=64)
def system_font(size: float) -> Font | None:
    """One with Chinese characters, if the system has any."""
    for name in _CHINESE:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None


def check_font(language: str | None, otherwise: str) -> None:
    """Raises ValueError where Chinese is asked for and has no font; `otherwise` is a way out."""
    if language == "zh" and system_font(1) is None:
        raise ValueError(
            "there is no font with Chinese characters to write a .png with: install one, such as "
            f"Noto Sans CJK, {otherwise}"
        )


def font_and_text(text: str, size: float) -> tuple[Font, str]:
    """What writes `text`, and the text that it is given; letters that no font has become "?"."""
    plain = text.translate(_IN_ASCII)
    if plain.isascii():
        return own_font(size), plain
    if font := system_font(size):
        return font, text
    return own_font(size), plain.encode("ascii", "replace").decode()


def fitted(text: str, size: float, width: float) -> str:
    """The text, or as much of its beginning as fits into `width` pixels, with dots behind."""
    if written_width(text, size) <= width:
        return text
    while text and written_width(f"{text}...", size) > width:
        text = text[:-1]
    return f"{text.rstrip()}..."


def written_width(text: str, size: float) -> float:
    font, written = font_and_text(text, size)
    return font.getlength(written)
