"""The site: Sphinx over the Markdown pages that are read on GitHub as well."""

import contextlib
import os
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent / "_site"))
import docstrings
import elsewhere
import public_names

# It prints that matplotlib is missing, which would draw cards that are not wanted.
with contextlib.redirect_stdout(None):
    import sphinxext.opengraph  # noqa: F401

project = "breaker-exporter"
author = metadata.metadata(project)["Author"]
copyright = f"2026, {author}"  # noqa: A001
version = release = metadata.version(project)

extensions = [
    "myst_parser",
    "notfound.extension",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinxext.opengraph",
]
root_doc = "index"
exclude_patterns = ["_build", "_site", "README.md"]  # which index.md includes

# GitHub makes anchors of headings of any level, too.
myst_heading_anchors = 6

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autoclass_content = "both"  # the arguments of the circuit breakers are explained in their constructor
add_module_names = False
python_use_unqualified_type_names = True
maximum_signature_line_length = 88

# Our own names must resolve. Those of others need their inventories, which an offline build does not get: the
# types in signatures.
nitpick_ignore_regex = [("py:(class|data|obj)", r"(?!breaker_exporter).*")]

smartquotes_action = "q"  # and no dashes for the two hyphens of an option

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_site/static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"top_of_page_buttons": []}
pygments_style = "default"
pygments_dark_style = "monokai"
# Nobody copies what a program printed.
copybutton_selector = "div:not(.highlight-text, .highlight-log) > div.highlight > pre"

# Where the site will be, with a slash at its end. Read the Docs sets the variable. Without it, links of the
# page that is shown in place of a missing one lead to the root of the host.
html_baseurl = os.environ.get("READTHEDOCS_CANONICAL_URL", "")
notfound_urls_prefix = urlsplit(html_baseurl).path or "/"
notfound_context = {
    "title": "Page not found",
    "body": f"""<h1>Page not found</h1>
<p>There is no page at this address. Search in the sidebar, or begin at the
<a href="{notfound_urls_prefix}index.html">first page</a>.</p>
""",
}

# What is shown of a page where somebody posts a link to it; a picture needs the whole address.
ogp_site_url = html_baseurl
ogp_image = "_images/outage.png" if html_baseurl else None
ogp_image_alt = "The slowest request in each half second, through an outage"
ogp_social_cards = {"enable": False}


def setup(app: Sphinx) -> None:
    app.add_lexer("log", TextLexer)
    app.add_lexer("promql", TextLexer)
    app.connect("source-read", elsewhere.rewrite)
    app.connect("include-read", elsewhere.rewrite_included)
    app.connect("builder-inited", public_names.forget_overloads)
    app.connect("autodoc-process-signature", docstrings.readable_signature)
    app.connect("autodoc-process-docstring", docstrings.google_style)
    app.connect("doctree-read", docstrings.with_dashes)
    app.connect("missing-reference", public_names.resolve)
