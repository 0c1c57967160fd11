"""What the words of a command line mean: options with one wording, files, places, devices, and priors.

Imports nothing of the other rooms.
"""
