"use strict";

// The theme asks the device for light or dark only as a page is opened: here an open page
// follows it as well, unless its reader has chosen one of the two.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  const page = Alpine.$data(document.documentElement);
  if (page.adminTheme !== "auto") return;
  // It asks again once the value has been another one.
  page.adminTheme = "";
  Alpine.nextTick(() => {
    page.adminTheme = "auto";
  });
});
