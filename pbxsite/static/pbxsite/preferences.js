"use strict";

// The reader's own language and light or dark take effect when they are chosen; without
// scripts a button sends both.
(() => {
  const YEAR_SECONDS = 365 * 24 * 3600;
  const COOKIE = "pbx_scheme";

  // Nothing is sent, so that what was typed into the page stays.
  function keepScheme(scheme) {
    const root = document.documentElement;
    if (scheme) root.dataset.scheme = scheme;
    else delete root.dataset.scheme;
    const secure = location.protocol === "https:" ? "; Secure" : "";
    const age = `max-age=${scheme ? YEAR_SECONDS : 0}; path=/; SameSite=Lax${secure}`;
    document.cookie = `${COOKIE}=${scheme}; ${age}`;
  }

  document.addEventListener("DOMContentLoaded", () => {
    const form = document.getElementById("preferences");
    if (!form) return;
    form.querySelector("button").hidden = true;
    const { language, scheme } = form.elements;
    scheme.addEventListener("change", () => keepScheme(scheme.value));
    language.addEventListener("change", () => form.submit());
  });
})();
