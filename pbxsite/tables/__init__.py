"""Whose tables the database has: an older version's, or those of this release."""
