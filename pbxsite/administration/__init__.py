"""Everything under /admin/, a package for each part of the menu.

In the menu's order: authentication, clients, users, queue, access and logs.
"""
