"""The documentation site: ``sphinx-build -W --keep-going -n docs docs/_build/html``, or ``nox -s docs``."""

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "topoprior"
author = "The topoprior developers"
copyright = "The topoprior developers, Apache-2.0"  # noqa: A001
version = release = installed_version("topoprior")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "command_reference",
    "docstring_names",
    "gallery",
    "mentions",
    "repository_links",
    "result_table",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]

# Pages
smartquotes_action = "qe"  # quotes and ellipses; two hyphens begin an option and stay two
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4  # links to headings as on the code host
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_line_continuation_character = "\\"

# Reference: docstrings name things in single backquotes, and say types in the signature alone
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autosummary_ignore_module_all = False
napoleon_numpy_docstring = False
napoleon_use_rtype = False
toc_object_entries_show_parents = "hide"
# Types of annotations that are not ours, or short names of ours for plain types
nitpick_ignore_regex = [
    ("py:class", r"(torch|nn|numpy|np|pathlib)\..+"),
    (
        "py:class",
        "Tensor|NDArray|Array|Path|Construction|Boundary|Essential|StopReason|Numbers|Patches|Rows?|.*[.]Result",
    ),
]
suppress_warnings = ["myst.header"]  # pages of results begin their tables at the third level
# Other projects' inventories come from the internet, which a build need not have.
intersphinx_mapping = (
    {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
    }
    if os.environ.get("READTHEDOCS")
    else {}
)

# Gallery
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "gallery.place",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "image_scrapers": ("gallery",),
    "write_computation_times": False,  # pages for nobody, which the search would find
    "min_reported_time": 3600,
    "abort_on_example_error": True,
}

# Look
html_theme = "furo"
html_title = f"topoprior {version}"
html_static_path = ["_static"]
html_css_files = ["topoprior.css"]
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b6e4f", "color-brand-content": "#0b6e4f"},
    "dark_css_variables": {"color-brand-primary": "#5fd3a6", "color-brand-content": "#5fd3a6"},
    "navigation_with_keys": True,
}
