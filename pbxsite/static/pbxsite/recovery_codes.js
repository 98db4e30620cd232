"use strict";

// Recovery codes as a file and on paper; without this script the buttons are not there.

(() => {
  const codes = document.getElementById("recovery-codes-text");
  const save = document.getElementById("save-codes");
  const print = document.getElementById("print-codes");

  save.hidden = print.hidden = false;
  save.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([codes.value], { type: "text/plain" }));
    link.download = save.dataset.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  print.addEventListener("click", () => window.print());
})();
