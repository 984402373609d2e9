"""What can befall DICOM files, each as a function that changes a folder of files in memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

Files = dict[str, bytes]

_VRS = (
    b"OB",
    b"OW",
    b"UN",
    b"SQ",
    b"UT",
    b"DS",
    b"IS",
    b"CS",
    b"LO",
    b"SH",
    b"UI",
    b"US",
    b"FD",
    b"FL",
    b"UL",
)
_ELEMENT = re.compile(rb"(?s)[\x00-\x54][\x00-\x52]..(?P<vr>" + b"|".join(_VRS) + rb")(?P<length>..)")
_FUNCTIONAL_GROUPS = b"\x00\x52"
_DESCRIBING = {b"\x18\0", b"\x20\0", b"\x28\0", _FUNCTIONAL_GROUPS, b"\x01\x20", b"\x05\x20"}
_VALUES = (
    *(b"", b"\0" * 8, b"abc", b"-1", b"1e999", b"nan", b"9" * 16, b"\\\\\\", b"1\\2\\3\\4\\5\\6\\7"),
    *(b"\xff" * 8, b"\xfe\xff\x00\xe0" * 4, b"\xfe\xff\xdd\xe0\0\0\0\0"),
)


def damage(files: Files, random: Random) -> list[str]:
    """Damage one to three times, in place; say what was done, so that a failure can be understood."""
    done = []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        kind, work = random.choice(KINDS)
        if files:
            name = random.choice(sorted(files))
            work(files, name, random)
            done.append(f"{kind} {name}")
    return done


def header_end(content: bytes) -> int:
    """Where the pixels begin, or the end of the file."""
    at = content.rfind(b"\xe0\x7f\x10\x00")
    return at if at > 0 else len(content)


def _truncate(files: Files, name: str, random: Random) -> None:
    files[name] = files[name][: random.randrange(len(files[name]) + 1)]


def _truncate_header(files: Files, name: str, random: Random) -> None:
    files[name] = files[name][: random.randrange(header_end(files[name]) + 1)]


def _flip(files: Files, name: str, random: Random, end: int) -> None:
    content = bytearray(files[name])
    for _ in range(random.choice((1, 1, 3, 30)) if end else 0):
        content[random.randrange(end)] ^= 1 << random.randrange(8)
    files[name] = bytes(content)


def _flip_header(files: Files, name: str, random: Random) -> None:
    _flip(files, name, random, header_end(files[name]))


def _flip_anywhere(files: Files, name: str, random: Random) -> None:
    _flip(files, name, random, len(files[name]))


def _zero(files: Files, name: str, random: Random) -> None:
    content = files[name]
    start, count = random.randrange(len(content) + 1), random.choice((4, 64, 1024, 10_000))
    count = min(count, len(content) - start)
    files[name] = content[:start] + bytes(count) + content[start + count :]


def _swap_chunks(files: Files, name: str, random: Random) -> None:
    other = random.choice(sorted(files))
    size = random.choice((16, 256, 4096))
    a, b = files[name], files[other]
    if min(len(a), len(b)) <= size:
        return
    i, j = random.randrange(len(a) - size), random.randrange(len(b) - size)
    files[other] = b[:j] + a[i : i + size] + b[j + size :]
    files[name] = a[:i] + b[j : j + size] + a[i + size :]


def _shuffle(files: Files, name: str, random: Random) -> None:
    content = files[name]
    size = max(1, len(content) // random.choice((4, 16)))
    blocks = [content[at : at + size] for at in range(0, len(content), size)]
    random.shuffle(blocks)
    files[name] = b"".join(blocks)


def _length(files: Files, name: str, random: Random) -> None:
    def change(match: re.Match[bytes], content: bytes) -> bytes:
        long = match["vr"] in _VRS[:5]
        start, size = (match.end(), 4) if long else (match.start("length"), 2)
        value = random.choice(
            (0, 1, 3, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF, random.getrandbits(32))
        )
        new = (value & (256**size - 1)).to_bytes(size, "little")
        return content[:start] + new + content[start + size :]

    _element(files, name, random, change)


def _vr(files: Files, name: str, random: Random) -> None:
    def change(match: re.Match[bytes], content: bytes) -> bytes:
        return (
            content[: match.start("vr")] + random.choice((*_VRS, b"XX", b"\0\0")) + content[match.end("vr") :]
        )

    _element(files, name, random, change)


def _value(files: Files, name: str, random: Random) -> None:
    def change(match: re.Match[bytes], content: bytes) -> bytes:
        long = match["vr"] in _VRS[:5]
        start = match.end() + 4 if long else match.end()
        size = int.from_bytes(match["length"], "little") if not long else 16
        new = (random.choice((*_VALUES, random.randbytes(size))) + b" " * size)[:size]
        return content[:start] + new + content[start + size :]

    _element(files, name, random, change)


def _element(
    files: Files, name: str, random: Random, change: Callable[[re.Match[bytes], bytes], bytes]
) -> None:
    """Change an element of an explicit-VR header, nested ones too; mostly one that describes the image."""
    content = files[name]
    found = list(_ELEMENT.finditer(content, 0, header_end(content)))
    for groups, share in ((_DESCRIBING, 0.8), ({_FUNCTIONAL_GROUPS}, 0.2)):
        chosen = [match for match in found if match[0][:2] in groups]
        if chosen and random.random() < share:
            found = chosen
    if found:
        files[name] = change(random.choice(found), content)


def _duplicate(files: Files, name: str, random: Random) -> None:
    files[f"{name}.copy{random.randrange(1000)}"] = files[name]


def _rename(files: Files, name: str, random: Random) -> None:
    ending = random.choice((".txt", ".dcm", "", ".nii.gz", ".zip", ".IMA", "\u00e9 \u4e2d"))
    files[name.rsplit(".", 1)[0] + f"_{random.randrange(1000)}{ending}"] = files.pop(name)


def _remove(files: Files, name: str, random: Random) -> None:
    del files[name]


def _join(files: Files, name: str, random: Random) -> None:
    files[name] += files[random.choice(sorted(files))]


def _garbage(files: Files, name: str, random: Random) -> None:
    start = random.choice((b"", bytes(128) + b"DICM", b"\x08\x00\x00\x00UL\x04\0"))
    files[f"{name}.{random.randrange(1000)}.dcm"] = start + random.randbytes(random.choice((0, 7, 500, 5000)))


KINDS: list[tuple[str, Callable[[Files, str, Random], None]]] = [
    ("truncate", _truncate),
    ("truncate the header of", _truncate_header),
    ("flip bits in the header of", _flip_header),
    ("flip bits in the header of", _flip_header),
    ("flip bits anywhere in", _flip_anywhere),
    ("zero a range of", _zero),
    ("swap chunks with", _swap_chunks),
    ("shuffle the blocks of", _shuffle),
    ("change the length of an element in", _length),
    ("change the length of an element in", _length),
    ("change the VR of an element in", _vr),
    ("change the value of an element in", _value),
    ("change the value of an element in", _value),
    ("duplicate", _duplicate),
    ("rename", _rename),
    ("remove", _remove),
    ("append to", _join),
    ("garbage beside", _garbage),
]
