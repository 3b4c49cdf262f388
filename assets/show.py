"""Metadata that people look at in Dagster: pictures, tables, times."""

import base64
import re
from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

from leap_pipeline.media.silence import Interval


def picture(data: bytes, kind: str, alt: str) -> dg.MarkdownMetadataValue:
    """An image in the event itself, so that it shows wherever the event does."""
    encoded = base64.b64encode(data).decode()
    return dg.MetadataValue.md(f"![{alt}](data:image/{kind};base64,{encoded})")


def verbatim(text: str) -> dg.MarkdownMetadataValue:
    """A text with its lines as they are: whatever it holds, it is no markup and loads nothing."""
    fence = "`" * (1 + max(2, *map(len, re.findall("`*", text))))
    return dg.MetadataValue.md(f"{fence}text\n{text}\n{fence}")


def clock(seconds: float) -> str:
    """H:MM:SS.t"""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}"


def intervals(spans: Sequence[Interval]) -> dg.TableMetadataValue:
    return table(
        {"start": clock(span.start), "end": clock(span.end), "seconds": round(span.length, 2)}
        for span in spans
    )


def table(rows: Iterable[dict[str, Any]]) -> dg.TableMetadataValue:
    """A table; an empty one says so."""
    records = [dg.TableRecord(row) for row in rows]
    if not records:
        schema = dg.TableSchema(columns=[dg.TableColumn("nothing", "string")])
        return dg.MetadataValue.table([], schema=schema)
    return dg.MetadataValue.table(records)
