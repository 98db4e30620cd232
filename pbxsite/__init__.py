"""The site around authconfig and verification: settings, addresses, administration.

Its application imports the Celery app, so that tasks know their broker.
"""
