"""An interactive page to try priors on: draw or load an image, see its bars, refine it. ``topoprior app`` opens it.

All that the page shows comes from functions that know no page: `sources` gives a probability map, `wish` reads what is
wanted, `exploration` counts and computes, `trial` refines, `pictures`, `barcodes` and `panels` draw, `recipe` writes
the code, and `views` puts them together. `page` lays them out with gradio, and `server` opens it, on this machine
alone.
"""
