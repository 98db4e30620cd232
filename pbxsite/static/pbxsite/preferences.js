"use strict";

// The reader's own language and light or dark, kept in this browser. Without scripts both
// follow the browser.
(() => {
  const SCHEME = "scheme";
  const YEAR_SECONDS = 365 * 24 * 3600;
  const root = document.documentElement;

  function read() {
    try {
      return localStorage.getItem(SCHEME) || "";
    } catch {
      return ""; // Storage is forbidden in this browser.
    }
  }

  function apply(scheme) {
    if (scheme) root.dataset.scheme = scheme;
    else delete root.dataset.scheme;
  }

  function keepScheme(scheme) {
    apply(scheme);
    try {
      localStorage.setItem(SCHEME, scheme);
    } catch {
      // It lasts as long as the page.
    }
  }

  // The server reads this cookie, which Django names.
  function keepLanguage(language) {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    const age = `max-age=${YEAR_SECONDS}; path=/; SameSite=Lax${secure}`;
    document.cookie = `django_language=${language}; ${age}`;
    location.reload();
  }

  // Before the page is drawn, or it would flash.
  apply(read());
  document.addEventListener("DOMContentLoaded", () => {
    const box = document.getElementById("preferences");
    if (!box) return;
    const language = document.getElementById("preferred-language");
    const scheme = document.getElementById("preferred-scheme");
    box.hidden = false;
    scheme.value = read();
    scheme.addEventListener("change", () => keepScheme(scheme.value));
    language.addEventListener("change", () => keepLanguage(language.value));
  });
})();
