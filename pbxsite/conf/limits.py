"""How often each thing may be tried, in allauth's form: 30/m/ip, several by commas."""

from collections.abc import Callable


def rates(variable: Callable[[str, str], str]) -> dict[str, str | bool]:
    """`variable` answers the environment's value of a name, else the default."""
    return {
        "login": variable("LIMIT_LOGINS", "30/m/ip"),
        "login_failed": variable("LIMIT_FAILED_LOGINS", "10/5m/key,20/h/key,40/6h/key"),
        # Links for forgotten passwords: by address, and for each name, known or not.
        "forgotten_password": variable("LIMIT_FORGOTTEN", "20/10m/ip,3/h/key"),
        "try_netlogon": "3/m/user",
        "try_alarm": "10/m/user",
        "openid": variable("LIMIT_TOKENS", "600/m/key"),
        # Each change is told by an e-mail.
        "change_factor": "20/10m/user",
        # Each answer to a user's browser leaves rows.
        "openid_asked": "120/m/user",
        # How many refusals the audit log tells of, where nobody is signed in.
        "openid_refused": "20/m/ip",
        "openid_failed": variable("LIMIT_FAILED_TOKENS", "20/m/ip"),
        "openid_client_failed": "20/m/key",
        # Wrong passwords of myApps clients' sessions, which nobody can guess.
        "myapps_session_failed": "30/m/ip",
        # Logout tokens of the OpenID provider: one for each session that ends there.
        "provider_logout": "300/m/ip",
        # Entra ID asks up to 25 times a second.
        "scim": variable("LIMIT_SCIM", "3000/m/key"),
        "scim_key": variable("LIMIT_WRONG_KEYS", "10/m/ip"),
        "voicemail_key": variable("LIMIT_WRONG_KEYS", "10/m/ip"),
    }
