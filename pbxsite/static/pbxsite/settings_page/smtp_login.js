// The choice of the login at the mail server: fills in what its provider prescribes, and
// says as whom the provider has authorized the site.

import { preview } from "./changes.js";
import { form } from "./form.js";

const PRESCRIBED = { smtp_server: "server", smtp_port: "port", smtp_security: "security" };

export function offerLogins() {
  const radios = [...form.elements.smtp_login];
  const opened = valuesOf(form.elements);
  for (const radio of radios) {
    radio.addEventListener("change", () => {
      fillIn(radio, opened, radios);
      unfold(radio);
    });
  }
  takeValuesToProvider();
  // Whoever comes back from the provider's tab sees what has come of it.
  window.addEventListener("focus", () => {
    if (authorization().offsetParent !== null) preview();
  });
}

function valuesOf(elements) {
  return Object.fromEntries(
    Object.keys(PRESCRIBED).map((name) => [name, elements[name].value]),
  );
}

// A server that was entered by hand stays; another login takes back what was filled in.
function fillIn(radio, opened, radios) {
  const { smtp_server: server } = form.elements;
  const prescribed = radios.map(({ dataset }) => dataset.server).filter(Boolean);
  if (server.value !== opened.smtp_server && !prescribed.includes(server.value)) return;
  for (const [name, key] of Object.entries(PRESCRIBED)) {
    const field = form.elements[name];
    field.value = radio.dataset[key] ?? opened[name];
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

// Where no provider is known, its endpoints have to be entered.
function unfold(radio) {
  const fold = form.querySelector('[data-fold="smtp-endpoints"]');
  fold.open = !radio.dataset.server || fold.querySelector(".row-faulty") !== null;
}

function authorization() {
  return document.getElementById("smtp-authorization-row");
}

// The provider's form stands apart, and takes along what stands on the screen.
function takeValuesToProvider() {
  document.getElementById("smtp-authorization").addEventListener("formdata", (event) => {
    for (const [name, value] of new FormData(form)) {
      if (/^(smtp_|own_password$)/.test(name)) event.formData.set(name, value);
    }
  });
}
