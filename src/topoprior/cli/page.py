"""``topoprior app``: an interactive page to try priors on."""

from typing import Annotated

from cyclopts import Parameter


def app(
    *,
    port: Annotated[int, Parameter(help="Where the page is served; 0 for any port that is free.")] = 7860,
    browser: Annotated[
        bool, Parameter(negative="--no-browser", help="Open the page in your browser, or only tell its address.")
    ] = True,
) -> None:
    """Open a page to try priors on: draw or load a map, see its bars, refine it.

    For teaching, and for choosing a prior. The page is served on this machine, to this machine alone; it asks nothing
    of any other, and works without a network. Ctrl-C stops it. Needs gradio: pip install 'topoprior[app]'.
    """
    from topoprior.app.server import serve

    serve(port=port, browser=browser)
