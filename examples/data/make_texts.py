"""Makes austen.txt.gz and kjv.txt.gz again from Debian's packages, without installing them.

    apt-get update && python3 examples/data/make_texts.py        on Debian; needs libreadline8 for bible-kjv's program

Both texts come out the same way: UTF-8, one paragraph (verse) a line, an empty line between chapters.
"""

import gzip
import re
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = ("r-cran-janeaustenr", "bible-kjv", "bible-kjv-text")

HEADING = re.compile(r"(chapter|volume) [ivxlc\d]+\.?", re.IGNORECASE)
# A closing line, and the notes of later editors: in brackets, at the foot of a page, or after the novel.
NOT_AUSTEN = re.compile(r"finis|the end|\[.*\]|vide a letter .*", re.IGNORECASE)
EDITORS_NOTE = "A NOTE ON THE TEXT"

KJV_PARTS = ("gen1:1-deu34:12", "ps1:1-ps150:6", "mat1:1-john21:25")


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        # Debian's download user has to be able to write here.
        root.chmod(0o777)
        subprocess.run(["apt-get", "download", *PACKAGES], cwd=root, check=True)
        for package in root.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, root], check=True)
        write("austen.txt.gz", separated(austen(root)))
        write("kjv.txt.gz", separated(kjv(root)))


def austen(root: Path) -> Iterator[list[str]]:
    """The paragraphs of each chapter of the six novels."""
    database = root / "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"
    for novel in read_r_texts(database.read_bytes()):
        chapters = [[]]
        for paragraph in paragraphs(novel):
            if paragraph == EDITORS_NOTE:
                break
            if HEADING.fullmatch(paragraph):
                chapters.append([])
            elif not NOT_AUSTEN.fullmatch(paragraph):
                chapters[-1].append(paragraph)
        # What comes before the first heading is the title page.
        yield from (chapter for chapter in chapters[1:] if chapter)


def paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Runs of lines up to an empty one, unwrapped, without underscores (emphasis) and asterisks (notes, rules)."""
    paragraph: list[str] = []
    for line in [*lines, ""]:
        words = re.sub("[_*]", "", line).split()
        if words:
            paragraph += words
        elif paragraph:
            yield " ".join(paragraph)
            paragraph = []


def read_r_texts(database: bytes) -> Iterator[list[str]]:
    """The records of an R lazy-load database, each a character vector in R's XDR serialisation, deflated."""
    at = 0
    while at < len(database):
        (size,) = struct.unpack_from(">I", database, at)
        inflate = zlib.decompressobj()
        record = inflate.decompress(database[at + 4 :])
        if len(record) != size:
            raise ValueError(f"record at {at} has {len(record)} bytes, expected {size}")
        yield read_character_vector(record)
        at = len(database) - len(inflate.unused_data)


def read_character_vector(record: bytes) -> list[str]:
    # 'X\n', three version numbers, the name of the encoding, then type 16 (character vector) and its length.
    (name_length,) = struct.unpack_from(">I", record, 14)
    at = 18 + name_length
    kind, count = struct.unpack_from(">II", record, at)
    if not record.startswith(b"X\n") or kind & 0xFF != 16:
        raise ValueError("not a serialised character vector")
    at += 8
    lines = []
    for _ in range(count):
        _, length = struct.unpack_from(">Ii", record, at)
        at += 8
        lines.append(record[at : at + length].decode())
        at += length
    return lines


def kjv(root: Path) -> Iterator[list[str]]:
    """The verses of each chapter of the Pentateuch, the Psalms and the Gospels, without their numbers."""
    # -f turns headings off: every verse is a line of its own, after its reference.
    command = [root / "usr/bin/bible", "-p", f"{root}/usr/lib/", "-f", *KJV_PARTS]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    last = None
    chapter: list[str] = []
    for line in output.splitlines():
        reference, verse = line.split(" ", 1)
        if reference.split(":")[0] != last and chapter:
            yield chapter
            chapter = []
        last = reference.split(":")[0]
        chapter.append(" ".join(verse.split()))
    yield chapter


def separated(chapters: Iterable[list[str]]) -> str:
    return "\n\n".join("\n".join(chapter) for chapter in chapters) + "\n"


def write(name: str, text: str) -> None:
    # No time stamp inside, so that the same text is the same file.
    packed = gzip.compress(text.encode(), compresslevel=9, mtime=0)
    (HERE / name).write_bytes(packed)
    print(f"{name}: {len(text.encode())} bytes, {len(packed)} packed, {text.count(chr(10))} lines")


if __name__ == "__main__":
    main()
