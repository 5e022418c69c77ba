"""A CSV file as rows of cells by column: however it is delimited, with the line on which each row begins."""

import csv
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from notifier.errors import Invalid

Cells = Mapping[str, str]


class Fault(NamedTuple):
    """What is wrong with one cell. Lines are counted as an editor does, the header is 1."""

    line: int
    column: str
    reason: str


@dataclass(frozen=True)
class Sheet:
    """The file as rows of cells by column, with the line on which each begins."""

    rows: tuple[tuple[int, Cells], ...]
    ignored_columns: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


def read(data: bytes, required: Sequence[str], known: Collection[str]) -> Sheet:
    """The rows of a CSV file (comma, semicolon or tab; with or without BOM). Columns that are not `known` are ignored.

    Raises Invalid: it is no such file, or has not every `required` column.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Invalid({"file": f"is not UTF-8 (line {line}); please save it as UTF-8"}) from None
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header = [name.strip().lower() for name in next(reader, [])]
    missing = [name for name in required if name not in header]
    if missing:
        why = f"the columns {', '.join(missing)} are missing" if text.strip() else "the file is empty"
        raise Invalid(dict.fromkeys(missing, "the column is missing"), why)
    if twice := {name for name in header if name and header.count(name) > 1}:
        raise Invalid(dict.fromkeys(sorted(twice), "the column is there twice"))
    rows: list[tuple[int, Cells]] = []
    faults: list[Fault] = []
    for line, cells in _records(reader, faults):
        if len(cells) > len(header):
            faults.append(Fault(line, header[-1], "more cells than the header has columns"))
        elif any(cell.strip() for cell in cells):
            rows.append((line, dict(zip(header, (cell.strip() for cell in cells), strict=False))))
    ignored = tuple(name for name in header if name and name not in known)
    return Sheet(tuple(rows), ignored, tuple(faults))


def _records(reader: Any, faults: list[Fault]) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line on which it begins; a broken one becomes a fault."""
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            unclosed = "unexpected end" in str(error)
            faults.append(Fault(line, "row", "a quote is opened and never closed" if unclosed else f"not CSV: {error}"))
            continue
        if cells is None:
            return
        yield line, cells
