"""The documentation's site: `make docs` builds it into build/docs, without network, every warning an error."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from pygments.lexers import PythonLexer, TextLexer

import trajectories

project = "trajectories"
author = "The trajectories developers"
version = release = trajectories.__version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    # in _ext/
    "made_pages",
    "math_as_mathml",
    "page_language",
    "self_contained",
]
exclude_patterns = ["README.md"]  # the folder's own list, for readers of the repository

# MyST: formulas between dollars, fields beside them as in the papers; headings can be linked to.
myst_enable_extensions = ["dollarmath", "deflist", "attrs_inline"]
myst_heading_anchors = 4

# Docstrings are numpydoc. Their types are words for a reader (« DataFrame »), not addresses to look up.
autodoc_member_order = "bysource"
toc_object_entries = False
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_param = False
napoleon_use_ivar = True
# `-n` asks for every cross-reference; names in single backquotes are code, as in the sources.
smartquotes = False
default_role = "code"
nitpick_ignore_regex = [("py:(class|obj|exc)", ".*")]

html_theme = "pydata_sphinx_theme"
html_title = "trajectories"
html_static_path = ["_static"]
html_css_files = ["site.css"]
# pages that have no neighbours
html_sidebars = {"index": [], "tutorial": [], "partenaires": []}
html_show_sourcelink = False
html_copy_source = False
html_show_sphinx = False
html_last_updated_fmt = None
html_theme_options = {
    "logo": {"text": "trajectories"},
    "navbar_align": "left",
    "show_prev_next": True,
    "header_links_before_dropdown": 7,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "use_edit_page_button": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
copyright = "The trajectories developers"


def setup(app):
    # languages of docs/batch.md that Pygments does not know
    app.add_lexer("crontab", TextLexer)
    app.add_lexer("snakemake", PythonLexer)
