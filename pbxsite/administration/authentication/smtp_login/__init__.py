"""“Login” of the e-mail account on the page: its modes, and “Authorize …”."""
