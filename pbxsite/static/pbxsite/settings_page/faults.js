// Shows at its field what keeps a trial from being run.

import { reveal } from "./folds.js";
import { form } from "./form.js";

let shown = [];

export function clearFaults() {
  shown.forEach(clearFault);
  shown = [];
}

function clearFault(box) {
  box.replaceChildren();
  box.hidden = true;
  box.closest(".row").classList.remove("row-faulty");
}

export function showFaults(faults) {
  const rows = Object.entries(faults).map(([name, sentences]) =>
    showAtField(name, sentences),
  );
  rows[0].scrollIntoView({ block: "center" });
  rows[0].querySelector("input, select, textarea").focus({ preventScroll: true });
}

function showAtField(name, sentences) {
  const row = form.querySelector(`[data-field="${name}"]`);
  const box = row.querySelector(".faults");
  box.replaceChildren(...sentences.map(lineOf));
  box.hidden = false;
  row.classList.add("row-faulty");
  reveal(row);
  shown.push(box);
  // What is entered now is another value, which has not been tried.
  row.addEventListener("input", () => clearFault(box), { once: true });
  return row;
}

function lineOf(sentence) {
  const fault = document.getElementById("fault-template").content.cloneNode(true);
  fault.querySelector("span").textContent = sentence;
  return fault;
}
