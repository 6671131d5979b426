// What the pages can do better with JavaScript. Without it everything works too.

// Show and hide a password. The words come from the page, so they are translated.
for (const button of document.querySelectorAll(".reveal")) {
  const input = document.getElementById(button.getAttribute("aria-controls"));
  const spoken = document.createElement("span");
  spoken.className = "visually-hidden";
  spoken.setAttribute("role", "status");
  button.after(spoken);

  const set = (shown) => {
    input.type = shown ? "text" : "password";
    button.textContent = shown ? button.dataset.hide : button.dataset.show;
    button.setAttribute("aria-label", shown ? button.dataset.hideLabel : button.dataset.showLabel);
  };
  button.addEventListener("click", () => {
    const shown = input.type === "password";
    set(shown);
    spoken.textContent = shown ? button.dataset.shown : button.dataset.hidden;
  });
  // Browsers offer to keep a password, and never a line of text.
  input.form.addEventListener("submit", () => set(false));
  set(false);
  button.hidden = false;
}

// Send a form once, however often its button is pressed.
const release = (form) => {
  delete form.dataset.sent;
  for (const button of form.querySelectorAll("button[aria-busy]")) {
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
};
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    const button = event.submitter ?? form.querySelector("button[type=submit]");
    // Not before the browser has collected the fields: a disabled button would be left out.
    setTimeout(() => {
      button?.setAttribute("aria-busy", "true");
      if (button) button.disabled = true;
    });
    if ("stays" in form.dataset) setTimeout(() => release(form), 3000);
  });
}
// A page that comes back from the browser's memory is ready to be sent again.
addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[data-sent]").forEach(release);
});

document.getElementById("error-summary")?.focus();

// Links of the summary lead into the field, not only to it.
document.getElementById("error-summary")?.addEventListener("click", (event) => {
  const field = event.target.closest("a") && document.getElementById(event.target.closest("a").hash.slice(1));
  if (!field) return;
  event.preventDefault();
  field.focus();
});

// Times in the reader's own time zone.
const styles = {
  date: { dateStyle: "long" },
  datetime: { dateStyle: "medium", timeStyle: "short" },
};
for (const element of document.querySelectorAll("time[data-local]")) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, styles[element.dataset.local]);
  element.textContent = format.format(new Date(element.dateTime));
}

// On a phone the list of account pages scrolls sideways: begin at the page one is on.
const here = document.querySelector(".side-nav [aria-current]");
if (here) {
  const list = here.closest("ul");
  list.scrollLeft = here.offsetLeft - (list.clientWidth - here.offsetWidth) / 2;
}
