"""Account security: the page on which users decide about logins and end sessions."""
