"""The label schema and everything that tables and steps share.

The lowest layer: imports nothing of the other packages.
"""

from schemas.definition import load_schema
from schemas.errors import InputError, Issue
from schemas.label_schema import LabelSchema

__all__ = ["InputError", "Issue", "LabelSchema", "load_schema"]
