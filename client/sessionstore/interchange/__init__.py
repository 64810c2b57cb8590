"""Import and export of the folders in which the reference keeps its sessions, from and to any store."""

from sessionstore.interchange.exporting import export_a3s
from sessionstore.interchange.importing import import_a3s
from sessionstore.interchange.report import Note, Report

__all__ = ["Note", "Report", "export_a3s", "import_a3s"]
