"""A CAD or mesh file -> Part: units, regions, repair. Entry: `load`; `write_report` writes part.json."""

from parts.load import load
from parts.report import write_report

__all__ = ["load", "write_report"]
