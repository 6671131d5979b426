// An app in the browser, made with session-client.js: who is signed in, where, and what happens to the tokens. All its
// words come from the page, so they are translated.
import { ApiError, NetworkError, createSessionClient } from "./session-client.js";

const byId = (id, kind) => {
  const found = document.getElementById(id ?? "");
  return found instanceof kind ? found : null;
};
const all = (selector, kind, within = document) =>
  [...within.querySelectorAll(selector)].filter((found) => found instanceof kind);

const MOST_TOLD = 12; // of what happened
const one = (id) => byId(id, HTMLElement);
const form = byId("sign-in", HTMLFormElement);
const [email, password] = ["email", "password"].map((id) => byId(id, HTMLInputElement));
const words = new Map();
const endings = new Map();
for (const element of all("[data-word], [data-ending]", HTMLElement, byId("words", HTMLTemplateElement).content)) {
  const { word, ending } = element.dataset;
  (word ? words : endings).set(word ?? ending, element.textContent);
}

const written = (moment, style) => new Intl.DateTimeFormat(document.documentElement.lang, style).format(moment);
const CLOCK = { timeStyle: "medium" };
const DAY_AND_CLOCK = { dateStyle: "medium", timeStyle: "short" };

/** A new copy of the one element in a template. */
const copyOf = (id) => byId(id, HTMLTemplateElement).content.firstElementChild.cloneNode(true);

// ---------- What is told ----------

const ICONS = new Map([
  ["info", "icon-info"],
  ["warning", "icon-alert"],
  ["error", "icon-alert"],
]);

const tell = (text, kind = "info") => {
  const notice = copyOf("notice");
  notice.classList.add(`notice-${kind}`);
  for (const icon of all(".icon", HTMLElement, notice)) icon.classList.add(ICONS.get(kind));
  for (const place of all("[data-text]", HTMLElement, notice)) place.textContent = text;
  one("told").replaceChildren(notice);
};

const untell = () => one("told").replaceChildren();

const note = (text, ...details) => {
  const item = copyOf("happening");
  const [sentence, meta] = all("p", HTMLElement, item);
  sentence.textContent = text;
  for (const time of all("[data-now]", HTMLTimeElement, item)) {
    time.dateTime = new Date().toISOString();
    time.textContent = written(new Date(), CLOCK);
  }
  for (const detail of details) {
    const place = document.createElement("span");
    place.textContent = detail;
    meta.append(place);
  }
  const log = one("log");
  log.prepend(item);
  all("li", HTMLElement, log).slice(MOST_TOLD).forEach((old) => old.remove());
  one("happened").hidden = false;
};

const show = (part) => {
  for (const id of ["signed-out", "unknown", "signed-in"]) one(id).hidden = id !== part;
  for (const more of all(".demo-more", HTMLElement)) more.hidden = part !== "signed-in";
};

// ---------- The session ----------

const state = {
  isShown: false, // what belongs to the one who is signed in
  isEntering: false, // and will be, once that is done
};

const client = createSessionClient({
  onSession(session, source) {
    one("expires").textContent = written(session.expiresAt, DAY_AND_CLOCK);
    note(words.get(sentenceFor(source)), ...WAYS.get(source));
    untell();
    if (!state.isShown && !state.isEntering) act(load);
  },
  onSignedOut(reason, why) {
    const sentence = endings.get(why) ?? endings.get(reason) ?? endings.get("session_revoked");
    forget();
    show("signed-out");
    note(sentence, [reason, why].filter(Boolean).join(": "));
    tell(sentence, reason === "signed_out" ? "info" : "warning");
  },
});

const WAYS = new Map([
  ["sign_in", ["POST /auth/login"]],
  ["refresh", ["POST /auth/refresh"]],
  ["other_tab", ["BroadcastChannel"]],
]);

const sentenceFor = (source) => {
  if (source === "sign_in") return "signedIn";
  if (source === "refresh") return state.isShown ? "refreshed" : "resumed";
  return state.isShown ? "otherTab" : "enteredByOtherTab";
};

const forget = () => {
  state.isShown = false;
  for (const id of ["name", "address", "expires", "sessions", "claims"]) one(id).replaceChildren();
};

const enter = async (way) => {
  state.isEntering = true;
  try {
    return await way();
  } finally {
    state.isEntering = false;
  }
};

const resume = async () => {
  if (await enter(client.resume)) {
    await load();
  } else {
    show("signed-out");
    if (all("li", HTMLElement, one("log")).length === 0) note(words.get("nobody"));
  }
};

const signIn = async () => {
  const proof = { email: email.value, password: password.value, deviceName: form.dataset.device };
  await enter(() => client.signIn(proof));
  password.value = "";
  await load();
  one("who-heading").focus();
};

const signOut = async () => {
  await client.signOut();
  one("told").focus();
};

const signOutEverywhere = async () => {
  await client.signOutEverywhere();
  one("told").focus();
};

const read = async (path) => (await client.fetch(path)).json();

const load = async () => {
  const begun = client.session?.sessionId;
  const [me, claims, sessions] = await Promise.all(["/me", "/auth/session", "/sessions"].map(read));
  if (client.session?.sessionId !== begun) return; // what another person sees is not for this page any more
  state.isShown = true;
  untell();
  show("signed-in");
  one("name").textContent = me.name || words.get("nameless");
  one("address").textContent = me.email;
  one("claims").replaceChildren(...Object.entries(claims).map(claim));
  one("sessions").replaceChildren(...sessions.map(row));
  note(words.get("called"), "GET /me, GET /auth/session, GET /sessions");
};

const TIMES = new Set(["iat", "nbf", "exp", "auth_time"]);

const claim = ([name, value]) => {
  const item = copyOf("claim");
  const [dt, dd] = all("dt, dd", HTMLElement, item);
  const code = document.createElement("code");
  code.textContent = name;
  dt.append(code);
  dd.textContent = TIMES.has(name) ? written(new Date(value * 1000), DAY_AND_CLOCK) : [value].flat().join(", ");
  return item;
};

const row = (session) => {
  const item = copyOf("session");
  const device = session.device_name ?? words.get(session.kind === "api" ? "app" : "browser");
  const facts = new Map([
    ["device", device],
    ["about", ` ${device}`],
    ["since", written(new Date(session.created_at), DAY_AND_CLOCK)],
    ["seen", written(new Date(session.last_seen_at), DAY_AND_CLOCK)],
    ["ip", session.ip],
    ["program", session.user_agent],
  ]);
  for (const place of all("[data-fact]", HTMLElement, item)) {
    const fact = facts.get(place.dataset.fact);
    if (fact !== undefined) place.textContent = fact;
    else place.hidden = place.dataset.fact === "current" ? !session.current : session.kind !== "api";
  }
  for (const icon of all(".tile .icon", HTMLElement, item)) {
    icon.classList.add(session.kind === "api" ? "icon-app" : "icon-laptop");
  }
  for (const button of all("button", HTMLButtonElement, item)) {
    button.addEventListener("click", () => act(session.current ? signOut : () => endOther(session.id), button));
  }
  return item;
};

const endOther = async (id) => {
  await client.fetch(`/sessions/${id}`, { method: "DELETE" });
  note(words.get("endedOther"), "DELETE /sessions/{id}");
  await load();
};

// ---------- Doing it ----------

/** Do something, once at a time for each button, and tell what went wrong; the end of the session has been told. */
const act = async (work, button = null) => {
  if (button?.getAttribute("aria-busy")) return;
  button?.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (error) {
    fail(error);
  } finally {
    button?.removeAttribute("aria-busy");
  }
};

const fail = (error) => {
  if (error instanceof NetworkError) {
    tell(words.get("offline"), "warning");
    note(words.get("offline"));
    if (!state.isShown && (client.isSignedIn || one("signed-out").hidden)) show("unknown");
  } else if (error instanceof ApiError) {
    const isTold = error.status === 401 && !client.isSignedIn && error.code !== "invalid_credentials";
    if (isTold) return;
    const details = (error.problem.errors ?? []).map(({ detail }) => detail);
    tell([error.problem.detail ?? words.get("failed"), ...details].join(" "), "error");
    note(error.problem.detail ?? words.get("failed"), `${error.status} ${error.code}`);
    if (!one("signed-out").hidden) one("told").focus();
  } else {
    throw error;
  }
};

const deeds = new Map(Object.entries({ resume, load, refresh: client.refresh, signOut, signOutEverywhere }));
for (const button of all("[data-do]", HTMLButtonElement)) {
  button.addEventListener("click", () => act(deeds.get(button.dataset.do), button));
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  act(signIn, event.submitter);
});
// What comes back from the browser's memory may show somebody who has gone since.
addEventListener("pageshow", (event) => event.persisted && location.reload());
act(resume);
