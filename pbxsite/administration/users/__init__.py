"""The PBX users and the groups of rights for administrators.

It offers their lists and pages, the import of users from a file and the export to one.
"""
