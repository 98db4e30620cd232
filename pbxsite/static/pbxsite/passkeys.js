// Says on the page what a browser says of a passkey that was not given.
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  document.getElementById("passkey-fault").hidden = false;
});
