"""Sets of images in folders: which files belong together, what their labels mean, and all of it in memory."""
