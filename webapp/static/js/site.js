// What the pages can do better with JavaScript. Without it everything works too.
// What is looked up is used only when it is what it should be: an element of the page, and of the expected kind.

const byId = (id, kind) => {
  const found = document.getElementById(id ?? "");
  return found instanceof kind ? found : null;
};
const all = (selector, kind, within = document) =>
  [...within.querySelectorAll(selector)].filter((found) => found instanceof kind);

// Show and hide a password. The words come from the page, so they are translated.
for (const button of all(".reveal", HTMLButtonElement)) {
  const input = byId(button.getAttribute("aria-controls"), HTMLInputElement);
  if (!input) continue;
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
  input.form?.addEventListener("submit", () => set(false));
  set(false);
  button.hidden = false;
}

// Send a form once, however often its button is pressed.
const release = (form) => {
  delete form.dataset.sent;
  for (const button of all("button[aria-busy]", HTMLButtonElement, form)) {
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
};
for (const form of all("form[method=post]", HTMLFormElement)) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    const button = event.submitter ?? all("button[type=submit]", HTMLButtonElement, form).at(0);
    // Not before the browser has collected the fields: a disabled button would be left out.
    setTimeout(() => {
      button?.setAttribute("aria-busy", "true");
      if (button) button.disabled = true;
    });
    if ("stays" in form.dataset) setTimeout(() => release(form), 3000);
  });
}
// A page that comes back from the browser's memory: where it shows who is signed in, that may not be so any more, and it
// is asked for again; others are ready to be sent again.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  if (all(".header-nav", HTMLElement).length > 0) location.reload();
  else all("form[data-sent]", HTMLFormElement).forEach(release);
});

const summary = byId("error-summary", HTMLElement);
summary?.focus();

// Links of the summary lead into the field, not only to it.
summary?.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  const field = link && byId(link.hash.slice(1), HTMLElement);
  if (!field) return;
  event.preventDefault();
  field.focus();
});

// Times in the reader's own time zone.
const styles = new Map([
  ["date", { dateStyle: "long" }],
  ["datetime", { dateStyle: "medium", timeStyle: "short" }],
]);
for (const element of all("time[data-local]", HTMLTimeElement)) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, styles.get(element.dataset.local));
  element.textContent = format.format(new Date(element.dateTime));
}

// On a phone the list of account pages scrolls sideways: begin at the page one is on.
for (const here of all(".side-nav [aria-current]", HTMLElement)) {
  const list = here.closest("ul");
  if (list) list.scrollLeft = here.offsetLeft - (list.clientWidth - here.offsetWidth) / 2;
}
