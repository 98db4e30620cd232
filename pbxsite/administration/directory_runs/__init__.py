"""The pages of the users from the directory: preview, runs, and what they did.

`views` begins runs and shows them, `report` says what a run's page shows.
"""
