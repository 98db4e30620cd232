"""The site around authconfig and verification: settings, addresses, administration.

Importing it loads the Celery app, so that tasks know their broker.
"""

from pbxsite.celery import app as celery_app

__all__ = ["celery_app"]
