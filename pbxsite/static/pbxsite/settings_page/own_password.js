// A login that grows old while the page is open has to be proved before saving.

export function askForPasswordInTime() {
  const question = document.querySelector("[data-asked-in]");
  setTimeout(() => {
    question.hidden = false;
  }, Number(question.dataset.askedIn));
}
