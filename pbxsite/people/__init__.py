"""What the site keeps of people: which tables, its export, and its erasure.

`held` names every table and column; docs/personal-data.md says why and for how long.
"""
