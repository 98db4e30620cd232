"""Somebody with a browser that runs no scripts: it logs in where it is asked to."""

from __future__ import annotations

import html
import re
from urllib.parse import urljoin

import requests
import urllib3

from tests.support.site import USER_PASSWORD

LONGEST_WAY = 20
LEADS_ON = re.compile(r'id="lead-on" href="([^"]+)"')
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
NEXT = re.compile(r'name="next" value="([^"]+)"')


class Visitor:
    def __init__(self, name: str, password: str = USER_PASSWORD) -> None:
        self.name, self.password = name, password
        self.session = requests.Session()
        # The tests' own certificates.
        self.session.verify = self.session.trust_env = False
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def open(self, url: str) -> requests.Response:
        """Follow what leads on, and log in on the way."""
        answer = self._get(url)
        for _step in range(LONGEST_WAY):
            text = answer.text
            if answer.is_redirect:
                answer = self._get(urljoin(answer.url, answer.headers["Location"]))
            elif found := LEADS_ON.search(text):
                answer = self._get(html.unescape(found[1]))
            elif 'id="login"' in text and 'name="password"' in text:
                answer = self._log_in(answer)
            else:
                return answer
        raise AssertionError(f"the way from {url} has no end: {answer.url}")

    def _get(self, url: str) -> requests.Response:
        return self.session.get(url, allow_redirects=False, timeout=30)

    def _log_in(self, page: requests.Response) -> requests.Response:
        token, wanted = TOKEN.search(page.text), NEXT.search(page.text)
        assert token, page.text
        form = {"login": self.name, "password": self.password}
        form |= {"csrfmiddlewaretoken": token[1]}
        if wanted:
            form["next"] = html.unescape(wanted[1])
        headers = {"Referer": page.url}
        return self.session.post(
            page.url, form, headers=headers, allow_redirects=False, timeout=30
        )
