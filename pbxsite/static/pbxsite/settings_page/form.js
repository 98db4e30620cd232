// The form, and how its values are sent while it is not saved yet.

import { isOver, LoggedOutError, renewToken } from "./session.js";

const REQUEST_LIMIT_MS = 10000;

export const form = document.getElementById("settings-form");

// One's own password is for saving alone.
export function values() {
  const entered = new FormData(form);
  entered.delete("own_password");
  return entered;
}

export async function post(url, { body = values(), limit = REQUEST_LIMIT_MS } = {}) {
  const send = () =>
    request(url, limit, {
      method: "POST",
      body,
      headers: { Accept: "application/json" },
    });
  const response = await send();
  if (!isOver(response)) return response;
  // Somebody who has logged in again in another tab goes on.
  body.set("csrfmiddlewaretoken", await renewToken(form));
  return sureOf(await send());
}

export async function get(url) {
  return sureOf(await request(url, REQUEST_LIMIT_MS));
}

function request(url, limit, options = {}) {
  const signal = AbortSignal.timeout(limit);
  return fetch(url, { redirect: "manual", signal, ...options });
}

function sureOf(response) {
  if (isOver(response)) throw new LoggedOutError();
  return response;
}
