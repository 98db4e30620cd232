"""The environment, read in one place: NAME, or NAME_FILE with a file that holds it."""

from __future__ import annotations

import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ


class Environment(environ.FileAwareEnv):
    """Knows by what names it was asked, with and without `_FILE`."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        self.asked |= {var, f"{var}_FILE"}
        return super().get_value(var, *args, **kwargs)


env = Environment()


def required(name: str) -> str:
    """Return the variable; without it the process ends and names it."""
    value = str(env.str(name, default="")).strip()
    if not value:
        raise SystemExit(
            f"Set the environment variable {name}, or {name}_FILE with a file's path."
        )
    return value


def secret(name: str, default: str) -> str:
    """Read an optional secret, without the line end that editors leave in files."""
    return str(env.str(name, default=default)).strip()


def words(text: str) -> list[str]:
    """Split at commas, and drop the spaces and line ends that people leave."""
    return [word.strip() for word in text.split(",") if word.strip()]


RATE = re.compile(r"([1-9]\d*)/(\d*)([smhd])/user")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def user_rate(name: str, default: str) -> tuple[int, timedelta]:
    """Read a limit such as "5/10m/user": how many for each user, in how long."""
    value = str(env.str(name, default=default)).strip()
    found = RATE.fullmatch(value)
    if found is None:
        raise SystemExit(f"{name} is “{value}”; write it like {default}.")
    amount, number, unit = found.groups()
    return int(amount), timedelta(**{UNITS[unit]: int(number or 1)})


def version(project: Path) -> str:
    return str(tomllib.loads(project.read_text())["project"]["version"])
