"""Tables for people."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from core.part import Part

MANY = 12


def part_table(part: Part) -> Table:
    """Size, faces, regions and repairs of an imported part."""
    report = part.report
    table = Table(box=None, show_header=False, pad_edge=False)
    rows = {
        "part": f"{part.name} ({report['format']})",
        "size": " x ".join(f"{v:.4g}" for v in report["size_mm"]) + " mm",
        "unit": f"{report['units']['unit']}, {report['units']['decided_by']}",
        "mesh": f"{report['faces']} triangles, {report['cad_faces']} CAD faces, {report['patches']} smooth patches",
        "volume": "open" if report["volume_cm3"] is None else f"{report['volume_cm3']:.4g} cm3",
        "repairs": ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in report["repairs"].items() if v) or "none",
    }
    for name, names in _regions(part).items():
        more = f" and {len(names) - MANY} more" if len(names) > MANY else ""
        rows[f"regions: {name}"] = ", ".join(names[:MANY]) + more
    for i, warning in enumerate(report["warnings"]):
        rows["warning" + " " * i] = warning
    for name, value in rows.items():
        table.add_row(Text(name.strip(), "bold"), Text(value))
    return table


def _regions(part: Part) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in part.regions:
        found[part.regions[name].kind].append(name)
    return found


def plain(text: str, style: str = "") -> Text:
    """Printed as it is: brackets, backslashes and colons in a user's words are the user's, no markup and no emoji."""
    return Text(text, style)
