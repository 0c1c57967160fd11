"""What commands print and draw alike: tables, failures, progress, planes.

Imports nothing of the other rooms.
"""
