"""The catalogue of parts: its pages, its templates, its style and its data."""

from .views import blueprint

__all__ = ["blueprint"]
