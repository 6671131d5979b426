// Passkeys by the browser's own JSON API (Web Authentication Level 3, sections 5.1.8 to 5.1.10). A form with data-passkey
// gets what the passkey signed into its hidden field and is sent as any other. Without this script, or in a browser that
// knows no passkeys, the forms stay hidden and the other ways are there.

const byId = (id, kind) => {
  const found = document.getElementById(id ?? "");
  return found instanceof kind ? found : null;
};
const all = (selector, kind, within = document) =>
  [...within.querySelectorAll(selector)].filter((found) => found instanceof kind);

const FRESH_FOR = 4 * 60 * 1000; // milliseconds: less than a challenge lives
const RENEW = "renew";
const autofill = { controller: null }; // of the offer that waits in the fields of the page

/** What the server wants signed; null where it wants something else first, which sending the form as it is will show. */
const optionsOf = async (form) => {
  const answer = await fetch(form.dataset.options, { headers: { Accept: "application/json" }, redirect: "manual" });
  return answer.ok ? answer.json() : null;
};

const ask = (form, options, how = {}) =>
  form.dataset.passkey === "create"
    ? navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options), ...how })
    : navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options), ...how });

const send = (form, credential) => {
  for (const field of all("[name=credential]", HTMLInputElement, form)) {
    field.value = credential ? JSON.stringify(credential) : "";
  }
  form.submit();
};

/** What is said of a failure, and heard: it stands in an alert. */
const say = (form, text = "") => {
  for (const button of all("button", HTMLButtonElement, form)) {
    byId(button.getAttribute("aria-describedby"), HTMLElement)?.replaceChildren(text);
  }
};

// Pressed buttons are not disabled but deaf: focus stays on them while the browser's own dialogue is open.
const isBusy = (form) => form.dataset.busy === "yes";
const setBusy = (form, busy) => {
  form.dataset.busy = busy ? "yes" : "";
  for (const button of all("button", HTMLButtonElement, form)) button.toggleAttribute("aria-busy", busy);
};

const reasonOf = (form, error) => {
  if (error.name === "NotAllowedError") return form.dataset.cancelled; // also: took too long, or has none
  return error.name === "InvalidStateError" ? form.dataset.known : form.dataset.failed;
};

const press = async (form) => {
  if (isBusy(form)) return;
  setBusy(form, true);
  say(form);
  autofill.controller?.abort(); // one question at a time
  try {
    const options = await optionsOf(form);
    send(form, options && (await ask(form, options)));
  } catch (error) {
    setBusy(form, false);
    say(form, reasonOf(form, error));
    offerAll();
  }
};

/** Offer passkeys in the autofill of the field with autocomplete="… webauthn"; anew before the challenge is too old. */
const offer = async (form) => {
  const controller = new AbortController();
  autofill.controller = controller;
  const renewal = setTimeout(() => controller.abort(RENEW), FRESH_FOR);
  try {
    if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
    const options = await optionsOf(form);
    if (options) send(form, await ask(form, options, { mediation: "conditional", signal: controller.signal }));
  } catch {
    // Nobody has asked for anything: nothing is said.
    if (controller.signal.reason === RENEW) offer(form);
  } finally {
    clearTimeout(renewal);
  }
};

const forms = all("form[data-passkey]", HTMLFormElement);
const offerAll = () => forms.filter((form) => "autofill" in form.dataset).forEach(offer);

const able = typeof PublicKeyCredential === "function" && "parseRequestOptionsFromJSON" in PublicKeyCredential;
// Browsers make no passkeys for an address in numbers; the page says where the site has a name.
const named = !/^[\d.]+$|^\[/.test(location.hostname);

for (const note of all("[data-passkey-unable]", HTMLElement)) note.hidden = able;
for (const note of all("[data-passkey-unnamed]", HTMLElement)) note.hidden = named || !able;
for (const link of all("a[data-passkey-host]", HTMLAnchorElement)) {
  const there = new URL(location.href);
  there.hostname = link.dataset.passkeyHost;
  link.href = there.href;
}

if (able && named) {
  for (const form of forms) {
    // Before site.js hears of it: that lets a form be sent once, and here it is sent only when a passkey has signed.
    const submitted = (event) => {
      event.preventDefault();
      event.stopImmediatePropagation();
      press(form);
    };
    form.addEventListener("submit", submitted, { capture: true });
    form.hidden = false;
  }
  offerAll();
  // A page that comes back from the browser's memory is ready again.
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    autofill.controller?.abort();
    for (const form of forms) setBusy(form, false);
    offerAll();
  });
}
