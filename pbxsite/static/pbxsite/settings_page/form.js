// The form, and how its values are sent while it is not saved yet.

const REQUEST_LIMIT_MS = 10000;

export const form = document.getElementById("settings-form");

// One's own password is for saving alone.
export function values() {
  const entered = new FormData(form);
  entered.delete("own_password");
  return entered;
}

export function post(url, { body = values(), limit = REQUEST_LIMIT_MS } = {}) {
  return fetch(url, {
    method: "POST",
    body,
    headers: { Accept: "application/json" },
    signal: AbortSignal.timeout(limit),
  });
}

export function get(url) {
  return fetch(url, { signal: AbortSignal.timeout(REQUEST_LIMIT_MS) });
}
