// Asking the API. Who needs a token is asked for it; the question is asked again then.

import { learnTime } from "./time.js";
import { askForToken, token } from "./token.js";

/** The API's own answer that something is wrong. */
export class ApiError extends Error {
  constructor(status, { code = "http_error", message = `HTTP ${status}`, hint = "" } = {}) {
    super(message);
    Object.assign(this, { status, code, hint });
  }
}

/** Nobody answers. */
export class GoneError extends Error {
  constructor() {
    super("the daemon does not answer");
    this.hint = "Is it running? `rollcast run` starts it; its log says why it ended.";
  }
}

/** The response to a GET, whatever its status, but never 401. */
export async function request(path, { headers = {}, signal } = {}) {
  for (;;) {
    const used = token();
    const response = await reach(path, used ? { ...headers, Authorization: `Bearer ${used}` } : headers, signal);
    learnTime(response.headers.get("date"));
    if (response.status !== 401) return response;
    // Another question may have brought a newer token meanwhile.
    if (used === token()) await askForToken(used !== null);
  }
}

/** What the API answers under /api/v1. Parameters that are null are left out. */
export async function get(path, parameters = {}, signal = undefined) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const response = await request(`api/v1/${path}?${new URLSearchParams(given)}`, { signal });
  if (!response.ok) throw await errorOf(response);
  return response.json();
}

/** The path of a series, and of what belongs to it. */
export function pathOf(name, rest = "") {
  return `series/${encodeURIComponent(name)}${rest}`;
}

/** The error that a response tells. */
export async function errorOf(response) {
  const told = await response.json().catch(() => ({}));
  return new ApiError(response.status, told.error);
}

async function reach(path, headers, signal) {
  try {
    // Kept by the browser, an answer would come back with the ages of when it was kept.
    return await fetch(path, { headers, signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new GoneError();
  }
}
