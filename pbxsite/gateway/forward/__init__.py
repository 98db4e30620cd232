"""Forward authentication: proxies ask for each request whose session it belongs to."""
