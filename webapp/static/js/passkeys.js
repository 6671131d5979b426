// Passkeys by the browser's own JSON API (Web Authentication Level 3, sections 5.1.8 to 5.1.10). A form with data-passkey
// gets what the passkey signed in its hidden field and is sent as any other. Without this script, or a browser that
// knows no passkeys, the buttons stay hidden and the other ways in are there.

const ways = {
    get: { parse: "parseRequestOptionsFromJSON", call: (options) => navigator.credentials.get(options) },
    create: { parse: "parseCreationOptionsFromJSON", call: (options) => navigator.credentials.create(options) },
};
const FRESH_FOR = 4 * 60 * 1000; // milliseconds: less than a challenge lives
let waiting = null; // the offer in the autofill of the sign-in page

/** What the passkey signs, or null where the person changed their mind. */
async function signed(form, extra = {}) {
    const way = ways[form.dataset.passkey];
    const answer = await fetch(form.dataset.options, { headers: { Accept: "application/json" }, credentials: "same-origin" });
    if (!answer.ok) throw new Error(`options: ${answer.status}`);
    const publicKey = PublicKeyCredential[way.parse](await answer.json());
    return way.call({ publicKey, ...extra });
}

/** Put what was signed into the form, and send it. */
function send(form, credential) {
    form.elements.credential.value = JSON.stringify(credential.toJSON());
    form.submit();
}

function tell(form, text) {
    const place = form.querySelector("[data-passkey-said]");
    if (place) place.textContent = text;
}

async function pressed(event) {
    event.preventDefault();
    const form = event.currentTarget;
    waiting?.abort();
    tell(form, "");
    try {
        const credential = await signed(form);
        if (credential) send(form, credential);
    } catch (error) {
        const known = error.name === "InvalidStateError" ? form.dataset.known : form.dataset.failed;
        tell(form, known ?? "");
    }
}

/** Offer passkeys in the autofill of a field with autocomplete="… webauthn", renewed before its challenge is too old. */
async function offer(form) {
    if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
    waiting = new AbortController();
    const { signal } = waiting;
    const renew = setTimeout(() => waiting.abort("renew"), FRESH_FOR);
    try {
        const credential = await signed(form, { mediation: "conditional", signal });
        if (credential) send(form, credential);
    } catch {
        if (signal.reason === "renew") offer(form);
    } finally {
        clearTimeout(renew);
    }
}

function begin() {
    const forms = document.querySelectorAll("form[data-passkey]");
    const able = window.PublicKeyCredential && ways.get.parse in PublicKeyCredential;
    // Browsers make no passkeys for an address in numbers; the page says where the site has a name.
    const named = !/^[\d.]+$|^\[/.test(location.hostname);
    for (const note of document.querySelectorAll("[data-passkey-host]")) note.hidden = named || !able;
    for (const note of document.querySelectorAll("[data-passkey-unable]")) note.hidden = Boolean(able);
    if (!able || !named) return;
    for (const form of forms) {
        form.hidden = false;
        form.addEventListener("submit", pressed);
        if (form.hasAttribute("data-autofill")) offer(form);
    }
}

begin();
