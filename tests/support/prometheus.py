"""A real Prometheus that scrapes a site of the tests."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.support.site import free_port

LIMIT_SECONDS = 30


@dataclass(frozen=True)
class Prometheus:
    url: str

    def ask(self, path: str, **query: str) -> Any:
        answer = requests.get(f"{self.url}/api/v1/{path}", query, timeout=10)
        found = answer.json()
        assert found["status"] == "success", found
        return found["data"]

    def values(self, expression: str) -> list[float]:
        result = self.ask("query", query=expression)["result"]
        return [float(each["value"][1]) for each in result]

    def await_scrapes(self, count: int) -> None:
        limit = time.monotonic() + LIMIT_SECONDS
        scrapes = 'count_over_time(up{job="pbx"}[5m])'
        while not any(value >= count for value in self._values_yet(scrapes)):
            assert time.monotonic() < limit, "Prometheus does not scrape"
            time.sleep(0.2)

    def _values_yet(self, expression: str) -> list[float]:
        try:
            return self.values(expression)
        except requests.RequestException:
            return []


@contextmanager
def running_prometheus(
    directory: Path, target: str, rules: Path
) -> Iterator[Prometheus]:
    """Scrape `target` (host:port) each second, and judge by the rules."""
    port = free_port()
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {"job_name": "pbx", "static_configs": [{"targets": [target]}]}
        ],
    }
    file = directory / "prometheus.yml"
    # JSON is YAML as well.
    file.write_text(json.dumps(configuration))
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={file}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
    )
    try:
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(20)
