"""The version of the library: the one place."""

__version__ = "0.1.0"
