"""The page "Authentication": who may log in to myApps and myPBX, and how.

It offers the page, and to the command line the form as it is saved and its sentences.
"""
