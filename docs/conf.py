# SPDX-License-Identifier: Apache-2.0
"""How Sphinx builds these pages: ``make docs``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))

from weft import __version__

project = "Weft"
author = "The Weft contributors"
copyright = "2026, the Weft contributors"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"Weft {release}"

# A link to a heading of another page is checked like any other.
myst_heading_anchors = 3

# Every name that a page or docstring refers to must be found ...
nitpicky = True
# ... but for those of other projects.
nitpick_ignore_regex = [
    ("py:.*", r"(collections|np|numpy|os|pathlib|types|typing|tvm)\..*"),
    # Names that are imported for type checkers only.
    ("py:class", "Path|ScheduleFunction"),
]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
# Pages can be built without a compiled module, a compiler's IR or a header parser.
autodoc_mock_imports = ["weft._native", "cffi", "tvm", "xdsl"]
