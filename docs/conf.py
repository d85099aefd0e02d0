"""Sphinx configuration: ``make docs`` builds the site into build/docs, with warnings as errors."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_extensions"), str(HERE.parent)]

# derived before autodoc, which writes what a base inherits into its annotations: pydantic refuses
# models that are derived from such a base later
import lammpsfit.gap.record_models  # noqa: E402, F401
from lammpsfit import __version__  # noqa: E402

project = "lammpsfit"
author = "The lammpsfit developers"
copyright = author  # noqa: A001
release = version = __version__

extensions = [
    "command_line",
    "formulas",
    "job_reference",
    "measured",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_extensions"]

myst_heading_anchors = 4  # links to headings work as on a code host

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # types stand in the text, with shapes and units
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

# Every name of our own must lead somewhere; those of the standard library, NumPy and the words of
# NumPy-style types ("float", "shape (n,)") lead out of a site that needs no network.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!lammpsfit\.).*"),
    ("py:.*", r"lammpsfit\..*\.Result"),  # a type variable, which has no page
]
suppress_warnings = ["ref.python"]  # types in the text are short names, and modules share some

highlight_language = "text"

html_theme = "furo"
html_title = f"lammpsfit {release}"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
copybutton_exclude = ".linenos, .gp, .go"
