// What stands where there is nothing to show: what happened, and what to do.

import { el } from "./dom.js";

/** A notice. Parts in `…` are commands. */
export function notice(title, ...sentences) {
  return el(
    "div",
    { class: "notice" },
    el("p", {}, el("strong", {}, title)),
    sentences.filter(Boolean).map((sentence) => el("p", {}, marked(sentence))),
  );
}

/** The notice of an error of the API, or of nobody answering. */
export function noticeOf(error) {
  if (!error.hint && !error.status) throw error; // a fault of the page's own: let it be seen
  return notice(`${error.message[0].toUpperCase()}${error.message.slice(1)}.`, error.hint);
}

function marked(text) {
  return text.split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));
}
