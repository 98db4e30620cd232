// Tells what saving would change, and that nothing is saved yet.

import { reveal } from "./folds.js";
import { form, post, values } from "./form.js";
import { fill } from "./restoring.js";
import { sayIfOver } from "./session.js";

const PATIENCE_MS = 300;
// After this long a save may be tried again: its answer may never come.
const SAVE_LIMIT_MS = 15000;
const NO_SETTING =
  /^(csrfmiddlewaretoken|opened|reader|test_recipient|end_sessions|remove_factors|choose-.*)$/;

const isUnsaved = form.dataset.unsaved === "yes";
let opened = snapshot();
let asked = 0;

export function watchChanges() {
  let isSaving = false;
  let waiting = 0;

  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(preview, PATIENCE_MS);
  });
  form.addEventListener("submit", (event) => {
    if (isSaving) return event.preventDefault();
    isSaving = true;
    setTimeout(() => {
      isSaving = false;
    }, SAVE_LIMIT_MS);
  });
  window.addEventListener("pageshow", () => {
    isSaving = false;
    if (isDirty()) preview();
  });
  // Whoever comes back from a login in another tab can go on.
  window.addEventListener("focus", () => {
    if (isDirty() && !isSaving) preview();
  });
  window.addEventListener("beforeunload", (event) => {
    if (!isSaving && isDirty()) event.preventDefault();
  });
}

function isDirty() {
  return isUnsaved || snapshot() !== opened;
}

function snapshot() {
  return JSON.stringify([...values()].filter(([name]) => !NO_SETTING.test(name)));
}

export async function preview() {
  const mine = ++asked;
  const sent = values();
  try {
    const response = await post(form.dataset.previewUrl, { body: sent });
    sayIfOver(null);
    // Only the newest question's answer is about what stands on the screen.
    if (response.ok && mine === asked) show(await response.json(), sent);
  } catch (error) {
    // A site that is away for a moment says so when the form is saved.
    sayIfOver(error);
  }
}

function show(answer, sent) {
  const { sections, lost, refusal, conditions, changed, authorization } = answer;
  takeOver(answer, sent);
  for (const box of form.querySelectorAll("[data-changes]")) {
    list(box, sections[box.dataset.changes]);
  }
  for (const hint of form.querySelectorAll("[data-lost]")) {
    warn(hint, lost[hint.dataset.lost]);
  }
  warnOfRefusal(refusal);
  showAuthorization(authorization);
  form.querySelectorAll("[data-condition]").forEach((condition, index) => {
    condition.classList.toggle("condition-met", conditions[index]);
  });
  document.getElementById("unsaved-labels").textContent = changed.join(", ");
  document.getElementById("unsaved").hidden = changed.length === 0;
}

// Others have saved meanwhile: what is not changed here follows them.
function takeOver({ opened: now, theirs, told }, sent) {
  const present = values();
  const isAsSent = (name) => `${present.getAll(name)}` === `${sent.getAll(name)}`;
  // What was entered since is asked about next.
  if (!Object.keys(theirs).every(isAsSent)) return;
  const wasDirty = isDirty();
  form.elements.opened.value = now;
  for (const [name, value] of Object.entries(theirs)) fill(name, value);
  if (!wasDirty) opened = snapshot();
  // The page asks already which value stays.
  if (form.querySelector("[data-conflict]")) delete told.both;
  const words = Object.values(told).join(" ");
  if (!words) return;
  document.getElementById("others-words").textContent = words;
  document.getElementById("others").hidden = false;
}

function list(box, sentences) {
  box.hidden = sentences.length === 0;
  box.querySelector("ul").replaceChildren(
    ...sentences.map((sentence) => {
      const item = document.createElement("li");
      item.textContent = sentence;
      return item;
    }),
  );
}

function warn(hint, sentence) {
  // A fault at the field says as much already.
  const isSaid = hint.closest(".row").querySelector(".fault") !== null;
  hint.hidden = isSaid || !sentence;
  hint.querySelector("span").textContent = sentence ?? "";
}

// Saving would leave no administrator a way in: it stands at the field to blame.
function warnOfRefusal(refusal) {
  const row = refusal && form.querySelector(`[data-field="${refusal.field}"]`);
  for (const hint of form.querySelectorAll(".refusal")) {
    if (hint.closest(".row") !== row) hint.remove();
  }
  if (!row) return;
  if (!row.querySelector(".refusal")) {
    const hint = document.getElementById("refusal-template").content.cloneNode(true);
    row.querySelector(".row-control").append(hint);
    reveal(row);
  }
  warn(row.querySelector(".refusal"), refusal.text);
}

function showAuthorization({ text, is_well: isWell }) {
  if (!text) return;
  const state = document.getElementById("smtp-authorization-state");
  state.classList.toggle("fact-warning", !isWell);
  document.getElementById("smtp-authorization-text").textContent = text;
}
