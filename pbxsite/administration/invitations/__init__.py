"""Inviting users to set a password, and passwords that the site makes.

It offers mixins for the admin of users, with an action, pages and a field.
"""
