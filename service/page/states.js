// The states of a series: in words, with a sign of its own each, and what to do about it.

import { el, setText } from "./dom.js";

const fetches = (panel) => `rollcast fetch ${panel} --dry-run`;

/** `subject` is what the reason speaks of, where it does not say so; `advice` a sentence, `command` what to type. */
export const STATES = {
  fresh: { word: "fresh", sign: "●", subject: "the forecast is " },
  stale: {
    word: "stale",
    sign: "◐",
    advice: "The forecast is not from the newest that could be known. To see what the source has now:",
    command: fetches,
  },
  expired: {
    word: "expired",
    sign: "○",
    advice: "Do not use this forecast: its time is over. To see what the source has now:",
    command: fetches,
  },
  source_down: {
    word: "source down",
    sign: "✕",
    advice: "Fetching is tried again by itself, less and less often. To try it now:",
    command: fetches,
  },
  no_model: {
    word: "no model",
    sign: "◇",
    advice: "A first model comes from a refit. To start one now:",
    command: (panel) => `rollcast refit ${panel}`,
  },
  insufficient_data: {
    word: "too little data",
    sign: "…",
    advice: "Nothing to do but wait, or give the source more history. To see what it has now:",
    command: fetches,
  },
};

/** The state's word, also of one that a newer daemon may know. */
export function wordOf(status) {
  return STATES[status]?.word ?? String(status).replaceAll("_", " ");
}

/** A label for a state: sign, word and colour. */
export function badge(status) {
  const label = el("span", {}, el("span", { "aria-hidden": "true" }), " ", el("span"));
  setBadge(label, status);
  return label;
}

/** Let a label tell another state. */
export function setBadge(label, status) {
  label.className = `badge is-${status in STATES ? status : "other"}`;
  setText(label.firstChild, STATES[status]?.sign ?? "?");
  setText(label.lastChild, wordOf(status));
}
