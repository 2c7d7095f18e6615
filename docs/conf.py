"""How Sphinx builds these pages: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

from occam.search.backend import import_keras, installed, use_backend

sys.path.insert(0, str(Path(__file__).parent))
use_backend(installed(), gpus="none")
import_keras()  # the Python reference is read from the modules themselves

import written  # noqa: E402  # beside this file

project, author, html_title = "Occam", "the authors of Occam", "Occam"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_show_sphinx = html_show_copyright = html_copy_source = False
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
maximum_signature_line_length = 80
default_role = "code"  # as our docstrings use it


def setup(app):
    app.connect("source-read", written.fill)
