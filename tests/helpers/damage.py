"""Damaged versions of a valid file, and the check that every one of them fails well.

In: the bytes of a small valid file, of which most should be structure and not numbers. Out:
versions of it that are cut, flipped, overwritten where a length may stand, or spliced; the same
ones each time. Every second one keeps the header, so that a reader cannot stop at the first bytes.
"""

import random
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

NUM_VERSIONS = 200
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1,
             2**63, 2**64 - 1)  # fmt: skip


def damaged(
    valid: bytes, seed: int = 0, num: int = NUM_VERSIONS, header: int = 16
) -> Iterator[bytes]:
    """`num` damaged versions of a file; every second one keeps its first `header` bytes."""
    if not 0 <= header < len(valid) - 8:
        raise ValueError(f"a header of {header} bytes leaves nothing to damage in {len(valid)}")
    chance = random.Random(seed)
    kinds = (_cut, _flip, _flip, _overwrite, _overwrite, _splice)
    for version in range(num):
        kept = header if version % 2 else 0
        rest = valid[kept:]
        result = rest
        while result == rest:  # the same bytes may be written again
            result = kinds[version // 2 % len(kinds)](rest, chance)
        yield valid[:kept] + result


def check_damaged(
    read: Callable[[Path], object],
    path: Path,
    seed: int = 0,
    num: int = NUM_VERSIONS,
    header: int = 16,
    most_memory: int = 2**24,
) -> int:
    """Writes damaged versions of the file over `path`, one by one, and reads each.

    Each must read (the damage may lie in the numbers) or raise ValueError in one line that begins
    with the path, within `most_memory` bytes. Gives the number of those that raised. `read` should
    load every array.
    """
    valid = path.read_bytes()
    num_refused = 0
    for version, content in enumerate(damaged(valid, seed, num, header)):
        path.unlink()  # what was mapped of the version before stays whole
        path.write_bytes(content)
        fault = None
        tracemalloc.start()
        try:
            read(path)
        except ValueError as error:
            fault = str(error)
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak < most_memory, f"version {version} took {peak:,} bytes"
        if fault is not None:
            assert fault.startswith(f"{path}: "), f"version {version}: {fault}"
            assert "\n" not in fault, f"version {version}: {fault}"
            num_refused += 1
    return num_refused


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def _flip(content: bytes, chance: random.Random) -> bytes:
    """One to eight bytes with other bits."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8))):
        changed[chance.randrange(len(changed))] ^= chance.randrange(1, 256)
    return bytes(changed)


def _overwrite(content: bytes, chance: random.Random) -> bytes:
    """A number of 1, 2, 4 or 8 bytes, in either order of bytes, set to an extreme."""
    width = chance.choice((1, 2, 4, 8))
    begin = chance.randrange(len(content) - width + 1)
    number = chance.choice(_EXTREMES) % 256**width
    order = chance.choice(("little", "big"))
    return content[:begin] + number.to_bytes(width, order) + content[begin + width :]


def _splice(content: bytes, chance: random.Random) -> bytes:
    """A block left out, written twice, moved to another place, or zeros in its stead."""
    begin = chance.randrange(len(content) - 1)
    end = begin + chance.randrange(1, min(512, len(content) - begin) + 1)
    before, block, after = content[:begin], content[begin:end], content[end:]
    elsewhere = chance.randrange(len(before) + len(after) + 1)
    without = before + after
    return chance.choice((
        without,
        before + block + block + after,
        without[:elsewhere] + block + without[elsewhere:],
        before + bytes(len(block)) + after,
    ))  # fmt: skip
