"""The site in a container: its image is built here, and its processes run in it."""
