// A login that is over by now: the page says so, and keeps what was entered.

const TOKEN = "csrfmiddlewaretoken";

export class LoggedOutError extends Error {}

export function isOver(response) {
  return response.type === "opaqueredirect" || response.status === 403;
}

// A login in another tab has made the token of this page's forms invalid.
export async function renewToken(form) {
  const answer = await fetch(form.action, { redirect: "manual" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const renewed = page.querySelector(`#${form.id} [name=${TOKEN}]`)?.value;
  if (!renewed) throw new LoggedOutError();
  for (const token of document.getElementsByName(TOKEN)) token.value = renewed;
  return renewed;
}

export function sayIfOver(error) {
  const isLoggedOut = error instanceof LoggedOutError;
  document.getElementById("logged-out").hidden = !isLoggedOut;
  return isLoggedOut;
}
