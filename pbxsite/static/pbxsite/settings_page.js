"use strict";

// The page works without this script: it only tells before saving what will change,
// folds what the chosen authentication type does not need, and sends test e-mails.

(() => {
  const form = document.getElementById("settings-form");
  const fields = form.elements;
  const POLL_MS = 400;
  const PATIENCE_MS = 300;
  const REQUEST_LIMIT_MS = 10000;
  const TEST_LIMIT_MS = 60000;

  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  // One's own password is for saving alone.
  function values() {
    const entered = new FormData(form);
    entered.delete("own_password");
    return entered;
  }

  function post(url, { body = values(), limit = REQUEST_LIMIT_MS } = {}) {
    return fetch(url, {
      method: "POST",
      body,
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(limit),
    });
  }

  // Folding

  function chosenMethods() {
    const chosen = form.querySelector("[data-methods]:checked");
    return chosen ? chosen.dataset.methods.split(" ") : [];
  }

  function foldByType() {
    const used = chosenMethods();
    for (const fold of form.querySelectorAll("details[data-method]")) {
      const isUsed = used.includes(fold.dataset.method);
      fold.open = isUsed || fold.querySelector(".row-faulty") !== null;
      fold.querySelector(":scope > summary .unused").hidden = isUsed;
    }
  }

  for (const radio of form.querySelectorAll("[data-methods]")) {
    radio.addEventListener("change", foldByType);
  }

  function reveal(target) {
    for (let fold = target?.closest("details"); fold; ) {
      fold.open = true;
      fold = fold.parentElement.closest("details");
    }
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest('.settings a[href^="#"]');
    const target = link && document.getElementById(link.hash.slice(1));
    if (!target) return;
    event.preventDefault();
    reveal(target);
    const focused = target.matches("input, select, textarea, fieldset")
      ? target
      : target.querySelector("input, button");
    target.scrollIntoView({ block: "center" });
    focused.focus({ preventScroll: true });
  });

  // Another security takes its usual port along, unless another one was entered.

  const usualPorts = { starttls: "587", tls: "465", none: "25" };
  let security = fields.smtp_security.value;
  fields.smtp_security.addEventListener("change", () => {
    if (fields.smtp_port.value === usualPorts[security]) {
      fields.smtp_port.value = usualPorts[fields.smtp_security.value];
    }
    security = fields.smtp_security.value;
  });

  for (const warning of form.querySelectorAll("[data-warn-unless]")) {
    const field = document.getElementById(warning.dataset.of);
    field.addEventListener("input", () => {
      const value = field.value.trim();
      warning.hidden = value === "" || value === warning.dataset.warnUnless;
    });
  }

  for (const offer of form.querySelectorAll("[data-shown-with]")) {
    const box = document.getElementById(offer.dataset.shownWith);
    const follow = () => {
      offer.hidden = !box.checked;
    };
    follow();
    box.addEventListener("change", follow);
  }

  // A login that grows old while the page is open has to be proved before saving.
  const ownPassword = document.querySelector("[data-asked-in]");
  setTimeout(() => {
    ownPassword.hidden = false;
  }, Number(ownPassword.dataset.askedIn));

  // What saving would change

  const unsaved = document.getElementById("unsaved");
  const isOwn = ([name]) => !/^(csrfmiddlewaretoken|version|test_recipient|end_sessions)$/.test(name);
  const snapshot = () =>
    JSON.stringify([...values()].filter(isOwn));
  const opened = snapshot();
  const wasRefused = form.dataset.refused === "yes";
  const isDirty = () => wasRefused || snapshot() !== opened;
  let isSaving = false;
  let waiting = 0;
  let asked = 0;

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

  function show(preview) {
    for (const box of form.querySelectorAll("[data-changes]")) {
      list(box, preview.sections[box.dataset.changes]);
    }
    for (const hint of form.querySelectorAll("[data-lost]")) {
      warn(hint, preview.lost[hint.dataset.lost]);
    }
    warnOfRefusal(preview.refusal);
    form.querySelectorAll("[data-condition]").forEach((condition, index) => {
      condition.classList.toggle("condition-met", preview.conditions[index]);
    });
    document.getElementById("unsaved-labels").textContent = preview.changed.join(", ");
    unsaved.hidden = preview.changed.length === 0;
  }

  async function preview() {
    const mine = ++asked;
    try {
      const response = await post(form.dataset.previewUrl);
      // Only the newest question's answer is about what stands on the screen.
      if (response.ok && mine === asked) show(await response.json());
    } catch {
      // A site that is away for a moment says so when the form is saved.
    }
  }

  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(preview, PATIENCE_MS);
  });
  form.addEventListener("submit", () => {
    isSaving = true;
  });
  window.addEventListener("pageshow", () => {
    isSaving = false;
    foldByType();
    if (isDirty()) preview();
  });
  window.addEventListener("beforeunload", (event) => {
    if (!isSaving && isDirty()) event.preventDefault();
  });

  document.getElementById("faults")?.focus();

  // Filling

  for (const button of form.querySelectorAll("[data-fill]")) {
    const field = document.getElementById(button.dataset.fill);
    const follow = () => {
      button.hidden = field.value === button.dataset.value;
    };
    follow();
    field.addEventListener("input", follow);
    button.addEventListener("click", () => {
      field.value = button.dataset.value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.focus();
    });
  }

  // The tests: each one's row says where it is run, and shows how it goes.

  const stepTemplate = document.getElementById("step-template");
  const faultTemplate = document.getElementById("fault-template");
  let shownFaults = [];

  function clearFaults() {
    for (const box of shownFaults) {
      box.replaceChildren();
      box.hidden = true;
      box.closest(".row").classList.remove("row-faulty");
    }
    shownFaults = [];
  }

  function showFault(name, sentences) {
    const row = form.querySelector(`[data-field="${name}"]`);
    const box = row.querySelector(".faults");
    box.replaceChildren(
      ...sentences.map((sentence) => {
        const fault = faultTemplate.content.cloneNode(true);
        fault.querySelector("span").textContent = sentence;
        return fault;
      }),
    );
    box.hidden = false;
    row.classList.add("row-faulty");
    reveal(row);
    shownFaults.push(box);
    return row;
  }

  function showFaults(faults) {
    const rows = Object.entries(faults).map(([name, sentences]) =>
      showFault(name, sentences),
    );
    rows[0].scrollIntoView({ block: "center" });
    rows[0].querySelector("input, select, textarea").focus({ preventScroll: true });
  }

  function showStep(steps, step, index) {
    let item = steps.children[index];
    if (!item) {
      item = stepTemplate.content.cloneNode(true).firstElementChild;
      steps.append(item);
    }
    if (item.dataset.state === step.state) return;
    item.dataset.state = step.state;
    item.querySelector(".step-stage").textContent = step.stage;
    item.querySelector(".step-state").textContent = step.state_words;
    item.querySelector(".step-words").textContent = step.words;
    const isTimed = step.state === "done" || step.state === "failed";
    item.querySelector(".step-time").textContent = isTimed ? `${step.elapsed_ms} ms` : "";
  }

  function showStatus(box, status) {
    const say = (selector, words) => {
      const line = box.querySelector(selector);
      line.hidden = !words;
      // Screen readers read a live region again whenever it is written to.
      if (line.textContent !== words) line.textContent = words;
    };
    box.hidden = false;
    box.dataset.state = status.state;
    say("[data-test-heading]", status.heading);
    say("[data-test-text]", status.text);
    const steps = box.querySelector(".steps");
    status.steps.forEach((step, index) => showStep(steps, step, index));
  }

  // A worker runs it: its state is asked for until it is over.
  async function poll(box, status) {
    const { url } = status;
    while (!status.is_over) {
      await pause(POLL_MS);
      const response = await fetch(url, {
        signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
      });
      if (!response.ok) throw new Error(response.status);
      status = await response.json();
      showStatus(box, status);
    }
  }

  // The site itself runs it: each line of the answer is its state so far.
  async function read(box, response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) showStatus(box, JSON.parse(line));
    }
    if (box.dataset.state === "running") throw new Error("cut off");
  }

  // The round trip's form stands apart, and takes along what stands on the screen.
  document.getElementById("roundtrip").addEventListener("formdata", (event) => {
    for (const [name, value] of new FormData(form)) {
      if (/^(oauth2_|pbx_domain$)/.test(name)) event.formData.set(name, value);
    }
  });

  // A password for a test is no part of the form, so that nothing else sends it.
  function valuesFor(row) {
    const entered = values();
    for (const input of row.querySelectorAll("input[form]")) {
      entered.set(input.name, input.value);
    }
    return entered;
  }

  async function run(row, box) {
    clearFaults();
    box.querySelector(".steps").replaceChildren();
    const response = await post(row.dataset.testUrl, {
      body: valuesFor(row),
      limit: TEST_LIMIT_MS,
    });
    if (response.headers.get("Content-Type").startsWith("application/x-ndjson")) {
      box.scrollIntoView({ block: "nearest" });
      return read(box, response);
    }
    const answer = await response.json();
    if (answer.faults) {
      box.hidden = true;
      return showFaults(answer.faults);
    }
    if (answer.message) return giveUp(box, answer.message);
    showStatus(box, answer);
    box.scrollIntoView({ block: "nearest" });
    return poll(box, answer);
  }

  function giveUp(box, words) {
    showStatus(box, { state: "failed", heading: words, text: "", steps: [] });
  }

  for (const row of form.querySelectorAll("[data-test-url]")) {
    const button = row.querySelector("[data-run]");
    const box = row.querySelector(".test");
    button.hidden = false;
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        await run(row, box);
      } catch {
        giveUp(box, box.dataset.silent);
      }
      button.disabled = false;
      preview();
    });
    row.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !event.target.matches("input")) return;
      event.preventDefault();
      if (!button.disabled) button.click();
    });
  }
})();
