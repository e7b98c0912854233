// What stands where there is nothing to show: what happened, and what to do.

import { el } from "./dom.js";

/** A notice. Parts in `…` are commands. */
export function notice(title, ...sentences) {
  return el(
    "div",
    { class: "notice" },
    el("p", {}, el("strong", {}, sentence(title))),
    sentences.filter(Boolean).map((each) => el("p", {}, marked(sentence(each)))),
  );
}

/** The notice of an error of the API, or of nobody answering. */
export function noticeOf(error) {
  if (!error.hint && !error.status) throw error; // a fault of the page's own: let it be seen
  const told = notice(error.message, error.hint);
  told.classList.toggle("is-gone", !error.status);
  return told;
}

/** A text as a sentence: with a capital letter, and a full stop where nothing ends it. */
export function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.?!…]$/.test(text) ? "" : "."}`;
}

function marked(text) {
  return text.split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));
}
