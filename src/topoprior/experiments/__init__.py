"""The demo and the paper's experiments, on the public API only.

`mnist`, `myocardium`, `acdc` and `placenta` each have a function ``run``; `cells` computes what they are made of, one
file after the other (`cell_documents`), in a folder that is theirs (`folder`).
"""
