// @ts-check
/**
 * Keeps a person signed in to the API from a page: an app on this site's own origin, or on one of CORS_ORIGINS.
 *
 *     import { createSessionClient } from "/static/js/session-client.js";
 *     const client = createSessionClient({ onSignedOut: (reason, why) => showSignIn(reason, why) });
 *     if (!(await client.resume())) await client.signIn({ email, password, deviceName: "My app" });
 *     const me = await (await client.fetch("/me")).json();
 *
 * Where things are. The access token is in the memory of this module and nowhere else. The refresh token is in a cookie
 * that no script can read; all tabs share it. A page that is loaded anew gets an access token with `resume()`.
 *
 * One refresh at a time. Tabs take turns by a Web Lock, and tell each other of new tokens over a BroadcastChannel, so
 * that whoever waited for the lock finds its work done. Access tokens go over that channel on purpose: only pages of
 * this origin hear it, nothing is stored, and a hostile script among them could get a token of its own with the same
 * cookie anyhow. Without either of the two, every tab refreshes for itself, and the server brings them together again.
 *
 * What is no sign-out: a network that fails, a 429, a 5xx. The session is kept, the caller gets the error, and the next
 * call tries again. What is one: the server's word that the session is over, told once, with the reason.
 */

/**
 * @typedef {object} Session What an app may know of its session.
 * @property {string} sessionId As in the list of sessions.
 * @property {Date} expiresAt When the present access token expires. There will be another by then.
 *
 * @typedef {"sign_in" | "refresh" | "other_tab"} Source Where tokens came from.
 *
 * @typedef {object} Options
 * @property {string} [baseUrl] Of the API. Tokens are sent to addresses below it, and to none else.
 * @property {(session: Session, source: Source) => void} [onSession] There are new tokens, perhaps of another person:
 *     then `onSignedOut("replaced", "")` comes first.
 * @property {(reason: string, why: string) => void} [onSignedOut] The session is over. `reason` is the code of the
 *     server's refusal, or "signed_out" (here or in another tab) or "replaced" (somebody signed in in another tab);
 *     `why` is what the server adds to session_revoked, such as "ended_by_user" or "password_changed", or "".
 * @property {(address: URL, init: RequestInit) => Promise<Response>} [fetch] In place of the browser's own.
 *
 * @typedef {{accessToken: string, sessionId: string, renewAt: number, expiresAt: number}} Tokens
 */

const MARGIN = 30_000; // milliseconds before its end that an access token is replaced; for short lives a tenth of them
const ANSWER_WITHIN = 15_000; // milliseconds for a refresh; nobody may hold the lock for ever
const TURN_WITHIN = 20_000; // a tab that was frozen with the lock in its hands must not stop the others
const NEWS_WITHIN = 1_000; // what a tab told before it let go of the lock can arrive after the lock
// A lost answer may have been the one with the next refresh token. The server repeats it for half a minute, so within
// that time it is asked for again, by nobody's wish.
const ASKED_AGAIN_AFTER = [2_000, 6_000, 12_000];
const ASKED_AGAIN_WITHIN = 20_000;
const CURED_BY_REFRESH = new Set(["token_expired", "token_invalid"]);
// What ends a session when a refresh is refused. A 401 of what stands in between, in words of its own, ends nothing.
const ENDS = new Set(["token_invalid", "token_expired", "session_revoked", "refresh_reused"]);

/** The API refused: `code` keeps its meaning, `problem` is all it said (RFC 9457), `retryAfter` is in seconds. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {Record<string, any>} problem
   * @param {number | null} [retryAfter]
   */
  constructor(status, problem, retryAfter = null) {
    super(problem.detail ?? problem.title ?? `${status} ${problem.code}`);
    this.name = "ApiError";
    this.status = status;
    /** @type {string} */
    this.code = problem.code;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }
}

/** The API was not reached, or its answer was lost. Nothing is known about the session, so it is kept. */
export class NetworkError extends Error {
  /** @param {unknown} cause */
  constructor(cause) {
    super("The API could not be reached.", { cause });
    this.name = "NetworkError";
    this.code = "network";
  }
}

const ignore = () => {};
/** @type {NonNullable<Options["fetch"]>} */
const browsersFetch = (address, init) => fetch(address, init);

/** @param {Options} [options] */
export function createSessionClient(options = {}) {
  const { baseUrl = "/api/v1", onSession = ignore, onSignedOut = ignore, fetch: send = browsersFetch } = options;
  const root = new URL(baseUrl.replace(/\/*$/, "/"), location.href);
  const name = `session of ${root.href}`;
  const news = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(name);
  const state = {
    /** @type {Tokens | null} */
    tokens: null,
    isSignedOut: false, // neither this nor tokens: nobody has asked yet
    reason: "signed_out",
    changes: 0, // of tokens, so that whoever waited can see whether something happened meanwhile
    /** @type {Promise<Tokens> | null} */
    refresh: null,
    /** @type {Promise<unknown>} */
    turn: Promise.resolve(),
    hear: ignore,
  };
  /** @type {Set<string>} */
  const ended = new Set(); // ids of sessions: late news of one does not bring it back

  // ---------- What is known ----------

  /** @param {Tokens} tokens @returns {Session} */
  const shown = ({ sessionId, expiresAt }) => Object.freeze({ sessionId, expiresAt: new Date(expiresAt) });

  const signedOut = () => new ApiError(401, { title: "Signed out", status: 401, code: state.reason });

  const current = () => {
    if (!state.tokens) throw signedOut();
    return state.tokens;
  };

  /** @param {Tokens} tokens @param {Source} source */
  const adopt = (tokens, source) => {
    if (state.tokens && state.tokens.sessionId !== tokens.sessionId) leave("replaced");
    state.tokens = tokens;
    state.isSignedOut = false;
    state.changes += 1;
    state.hear();
    onSession(shown(tokens), source);
    return tokens;
  };

  /** @param {string} reason @param {string} [why] @param {boolean} [quietly] */
  const leave = (reason, why = "", quietly = false) => {
    if (state.isSignedOut) return;
    if (state.tokens) ended.add(state.tokens.sessionId);
    state.tokens = null;
    state.isSignedOut = true;
    state.reason = reason;
    state.changes += 1;
    state.hear();
    if (!quietly) onSignedOut(reason, why);
  };

  // ---------- Other tabs ----------

  /** @param {string} reason @param {string} [why] */
  const leaveEverywhere = (reason, why = "") => {
    news?.postMessage({ ended: state.tokens?.sessionId ?? null, reason, why });
    leave(reason, why);
  };

  news?.addEventListener("message", ({ data }) => {
    const { tokens, reason, why } = data;
    if (!tokens) {
      if (state.tokens ? state.tokens.sessionId === data.ended : !state.isSignedOut) leave(reason, why);
    } else if (!ended.has(tokens.sessionId)) {
      const isOlder = state.tokens?.sessionId === tokens.sessionId && state.tokens.expiresAt > tokens.expiresAt;
      if (!isOlder) adopt(tokens, "other_tab");
    }
  });

  // Whatever changes the cookie happens while no other tab does the like: an answer that overtook another would put an
  // old cookie back.
  /** @template T @param {(hadToWait?: boolean) => Promise<T>} work @returns {Promise<T>} */
  const alone = async (work) => {
    const { locks } = navigator;
    if (!locks) return inTurn(work); // on plain http, or in an old browser
    const progress = { hasBegun: false };
    /** @param {boolean} hadToWait */
    const begin = (hadToWait) => {
      progress.hasBegun = true;
      return work(hadToWait);
    };
    try {
      const done = await locks.request(name, { ifAvailable: true }, (lock) => lock && begin(false));
      if (progress.hasBegun) return done;
      return await locks.request(name, { signal: AbortSignal.timeout(TURN_WITHIN) }, () => begin(true));
    } catch (error) {
      if (progress.hasBegun) throw error;
      return inTurn(work);
    }
  };

  /** @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  const inTurn = (work) => {
    const mine = state.turn.then(() => work());
    state.turn = mine.catch(ignore);
    return mine;
  };

  const someNews = () =>
    new Promise((resolve) => {
      state.hear = () => resolve(undefined);
      setTimeout(resolve, NEWS_WITHIN);
    });

  // ---------- Asking ----------

  /** @param {string} path */
  const addressOf = (path) => {
    const address = new URL(path.replace(/^\/+/, ""), root);
    if (!address.href.startsWith(root.href)) throw new TypeError(`${path} is not below ${root.href}`);
    return address;
  };

  /** @param {string} path @param {RequestInit} init */
  const ask = async (path, init) => {
    const address = addressOf(path);
    try {
      return await send(address, { credentials: "include", cache: "no-store", ...init });
    } catch (cause) {
      const isGivenUp = init.signal?.aborted && init.signal.reason?.name !== "TimeoutError";
      throw isGivenUp ? cause : new NetworkError(cause);
    }
  };

  /** @param {Response} response */
  const refusal = async (response) => {
    const problem = await response.json().catch(() => null); // what stands in between may answer in words of its own
    const seconds = Number(response.headers.get("Retry-After") ?? NaN);
    const known = typeof problem?.code === "string" ? problem : { code: "unexpected_answer", status: response.status };
    return new ApiError(response.status, known, Number.isFinite(seconds) ? seconds : null);
  };

  /** @param {object} [body] @returns {RequestInit} */
  const post = (body) => ({
    method: "POST",
    // An answer that comes when the page has gone still brings its cookie.
    keepalive: true,
    signal: AbortSignal.timeout(ANSWER_WITHIN),
    ...(body && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
  });

  /** @param {Response} response @returns {Promise<Tokens>} */
  const tokensIn = async (response) => {
    if (!response.ok) throw await refusal(response);
    const answer = await response.json().catch((cause) => Promise.reject(new NetworkError(cause)));
    const life = answer.expires_in * 1000;
    return {
      accessToken: answer.access_token,
      sessionId: answer.session_id,
      renewAt: Date.now() + life - Math.min(MARGIN, life / 10),
      expiresAt: Date.now() + life,
    };
  };

  /** @param {Tokens} tokens @param {Source} source */
  const share = (tokens, source) => {
    adopt(tokens, source);
    news?.postMessage({ tokens });
    return tokens;
  };

  /** @param {string} path @param {object} body @returns {Promise<Session>} */
  const enter = (path, body) =>
    alone(async () => shown(share(await tokensIn(await ask(path, post(body))), "sign_in")));

  // ---------- Refreshing ----------

  /** @param {number} [attempt] How often its answer was lost before. */
  const refresh = (attempt = 0) => {
    state.refresh ??= exchange(attempt).finally(() => {
      state.refresh = null;
    });
    return state.refresh;
  };

  /** @param {number} attempt */
  const exchange = (attempt) => {
    const { changes } = state;
    return alone(async (hadToWait) => {
      if (hadToWait && state.changes === changes) await someNews();
      if (state.changes !== changes) return current(); // while this tab waited, another one refreshed or signed out
      try {
        const tokens = await tokensIn(await ask("/auth/refresh", post()));
        return state.changes === changes ? share(tokens, "refresh") : current();
      } catch (error) {
        if (error instanceof ApiError && ENDS.has(error.code)) endedBy(error);
        else if (error instanceof NetworkError || error.status >= 500) tryAgain(changes, attempt, error.retryAfter ?? 0);
        throw error;
      }
    });
  };

  /** @param {ApiError} error */
  const endedBy = ({ code, problem }) => {
    // A page that has just been loaded in a browser without the cookie: nobody was signed in, so nobody is signed out.
    if (!state.tokens && code === "token_invalid") leave(code, "", true);
    else leaveEverywhere(code, problem.reason);
  };

  /** @param {number} changes @param {number} attempt @param {number} retryAfter */
  const tryAgain = (changes, attempt, retryAfter) => {
    const wait = Math.max(ASKED_AGAIN_AFTER.at(attempt) ?? Infinity, retryAfter * 1000);
    if (wait > ASKED_AGAIN_WITHIN) return;
    setTimeout(() => {
      if (state.changes === changes) refresh(attempt + 1).catch(ignore); // whoever asks next gets the error
    }, wait);
  };

  // ---------- Calls ----------

  // What was begun as one person is not finished as another.
  /** @param {Tokens} before @param {Tokens} tokens */
  const ofSame = (before, tokens) => {
    if (tokens.sessionId !== before.sessionId) throw new ApiError(401, { title: "Signed out", code: "replaced" });
    return tokens;
  };

  const usable = async () => {
    const { tokens, isSignedOut } = state;
    if (isSignedOut) throw signedOut();
    if (!tokens) return refresh();
    // On demand, not by a timer: a page that nobody uses keeps no session alive.
    if (Date.now() < tokens.renewAt) return tokens;
    try {
      return ofSame(tokens, await refresh());
    } catch (error) {
      if (state.tokens === tokens && Date.now() < tokens.expiresAt) return tokens; // it is good for a moment more
      throw error;
    }
  };

  /** @param {Tokens} tokens @param {string} path @param {RequestInit} init */
  const call = async (tokens, path, init) => {
    const headers = new Headers(init.headers);
    headers.set("Authorization", `Bearer ${tokens.accessToken}`);
    const response = await ask(path, { ...init, headers });
    if (response.ok) return response;
    const error = await refusal(response);
    if (error.status === 401 && error.code === "session_revoked") await learnWhy(tokens, error);
    throw error;
  };

  // The session is over. One refresh says why and takes the dead cookie out of the browser; whatever becomes of that,
  // the call is not tried again.
  /** @param {Tokens} tokens @param {ApiError} error */
  const learnWhy = async (tokens, { code, problem }) => {
    const isStillOurs = () => state.tokens?.sessionId === tokens.sessionId;
    if (!isStillOurs()) return;
    await refresh().catch(() => isStillOurs() && leaveEverywhere(code, problem.reason));
  };

  /** @param {string} path @param {RequestInit} [init] */
  const callOnceOrTwice = async (path, init = {}) => {
    const tokens = await usable();
    try {
      return await call(tokens, path, init);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 401 && CURED_BY_REFRESH.has(error.code))) throw error;
      return call(ofSame(tokens, state.tokens === tokens ? await refresh() : current()), path, init);
    }
  };

  // ---------- What an app gets ----------

  return Object.freeze({
    /** The session as far as this tab knows, or null. @returns {Session | null} */
    get session() {
      return state.tokens && shown(state.tokens);
    },

    get isSignedIn() {
      return state.tokens !== null;
    },

    /**
     * Sign in. Throws an ApiError: `invalid_credentials`, `email_unverified`, `account_deletion_pending`, …
     * @param {{email: string, password: string, deviceName?: string}} proof
     */
    signIn: ({ email, password, deviceName }) =>
      enter("/auth/login", { email, password, device_name: deviceName, refresh_transport: "cookie" }),

    /**
     * Finish a sign-in that `account_deletion_pending` stopped, and keep the account.
     * @param {string} stepToken As it is in the `problem` of that error.
     */
    keepAccount: (stepToken) => enter("/auth/keep-account", { step_token: stepToken }),

    /**
     * For a page that was just loaded: the session that the cookie stands for, or null. Throws a NetworkError, or an
     * ApiError such as a 503; then it is not known yet whether somebody is signed in, and the next call tries again.
     * @returns {Promise<Session | null>}
     */
    async resume() {
      if (state.tokens) return shown(state.tokens);
      try {
        return shown(await refresh());
      } catch (error) {
        if (state.isSignedOut) return null;
        throw error;
      }
    },

    /** New tokens now, whether they are needed or not. @returns {Promise<Session>} */
    async refresh() {
      if (state.isSignedOut) throw signedOut();
      return shown(await refresh());
    },

    /** A good access token, for another service that verifies them. Ask each time; never store it. */
    accessToken: async () => (await usable()).accessToken,

    /**
     * Call the API as the signed-in person, at a `path` below `baseUrl`. Gives the Response if it is a good one, else
     * throws an ApiError. After a refresh the body is sent a second time, so it cannot be a stream.
     */
    fetch: callOnceOrTwice,

    /**
     * End this session, in every tab of this browser. Where the site cannot be reached this throws and one stays signed
     * in: the cookie is still there, and nobody is to believe it gone.
     */
    async signOut() {
      await alone(async () => {
        const byCookie = await ask("/auth/logout", post());
        if (!byCookie.ok) {
          const error = await refusal(byCookie);
          if (!ENDS.has(error.code)) throw error;
          // Somebody deleted the cookies; the session goes on without them until it is told to end.
          const headers = { Authorization: `Bearer ${state.tokens?.accessToken}` };
          const byToken = state.tokens && (await ask("/auth/logout", { ...post(), headers }));
          const refused = byToken && !byToken.ok ? await refusal(byToken) : null;
          if (refused && !ENDS.has(refused.code)) throw refused;
        }
        leaveEverywhere("signed_out"); // before another tab has its turn, and finds no cookie
      });
    },

    /** End every session of this person, on every device. */
    async signOutEverywhere() {
      const tokens = await usable(); // before the lock, which a refresh takes for itself
      await alone(async () => {
        await call(tokens, "/auth/logout-all", post());
        leaveEverywhere("signed_out");
      });
    },

    /** Hear no more of other tabs. */
    close: () => news?.close(),
  });
}
