"""The columns of the settings row, one file for each card of the page.

Their rules, which span the cards, stand in authconfig.models.
"""
