// A server elsewhere takes over neither the port nor the missing security of the mail
// server on this machine.

import { reveal } from "./folds.js";
import { form } from "./form.js";

const NONE = "none";
const SAFE = "starttls";

function isHere(server) {
  const host = server.trim().toLowerCase().replace(/:\d+$/, "");
  return /^(localhost|127(\.\d+){3}|\[?::1\]?)$/.test(host) || server.trim() === "::1";
}

export function leaveThisMachine() {
  const { smtp_server: server, smtp_port: port, smtp_security: security } = form.elements;
  const note = document.getElementById("left-this-machine");
  const before = { here: isHere(server.value), port: port.value };
  if (!before.here || security.value !== NONE) return;

  // With the first letter: were it when the field is left, the page would move under a
  // click on the next button. It is taken back should the server be here after all.
  server.addEventListener("input", () => {
    const left = server.value.trim() !== "" && !isHere(server.value);
    if (left && security.value === NONE && port.value === before.port) {
      set(security, SAFE);
      set(port, "");
      reveal(security);
      note.hidden = false;
    } else if (!left && !note.hidden) {
      // Somebody, or a login by OAuth2, may have chosen another port since.
      if (security.value === SAFE && port.value === "") {
        set(security, NONE);
        set(port, before.port);
      }
      note.hidden = true;
    }
  });
}

function set(field, value) {
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
