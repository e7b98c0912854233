// The page: shows the overview or a series, hands them what the stream tells, and says whether it is live.

import { request } from "./api.js";
import { el, replace, retell, setText } from "./dom.js";
import { Overview } from "./overview.js";
import { SeriesPage } from "./series.js";
import { Stream } from "./stream.js";
import { moment, ZONE } from "./time.js";

const FIRST = 300; // milliseconds that the stream has to open, so that nothing happens between it and the first answer
const READY_EVERY = 60_000;

const main = document.getElementById("main");
const live = document.getElementById("live");
const alert = document.getElementById("alert");

let overview = null;
let view = null;
let scrolled = 0; // where the overview was left
let back = "#/"; // its address
let isSearching = false; // somebody is on the way to the search field

const stream = new Stream(
  (event) => heard(event),
  (state) => tellLive(state),
);

function show() {
  const { name, wanted } = route();
  const isFirst = view === null;
  const left = view?.name; // the series, where it was one
  if (view === overview) scrolled = scrollY;
  view?.leave?.();
  if (name !== null) view = new SeriesPage(name, back, overview?.cards.get(name)?.glance);
  else view = overview ??= new Overview(keepWanted, tellTitle);
  tellTitle();
  main.replaceChildren(view.element);
  if (view === overview && !isFirst) scrollTo(0, scrolled);
  else scrollTo(0, 0);
  if (isSearching) overview.filters.field.focus();
  else if (!isFirst) (view.linkTo?.(left) ?? view.element.querySelector("h1")).focus({ preventScroll: true });
  isSearching = false;
  if (view === overview) {
    back = location.hash || "#/";
    overview.want(wanted);
  } else view.reload();
}

function tellTitle() {
  document.title = view.title;
}

/** What the address asks for: a series, or the overview as it is wanted. */
function route() {
  const [path, query = ""] = location.hash.slice(1).split("?");
  const parameters = new URLSearchParams(query);
  const wanted = { search: parameters.get("search") ?? "", status: parameters.get("status") };
  return { name: path.startsWith("/series/") ? decoded(path.slice(8)) : null, wanted };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // no name that this page wrote: the API will say that there is none
  }
}

function keepWanted({ search, status }) {
  const given = Object.entries({ search, status }).filter(([, value]) => value);
  back = given.length ? `#/?${new URLSearchParams(given)}` : "#/";
  history.replaceState(null, "", back);
}

function heard(event) {
  if (event.kind === "reset") {
    overview?.reload();
    if (view !== overview) view.reload();
    return;
  }
  overview?.take(event);
  if (view !== overview) view.take(event);
}

function tellLive(state) {
  const words = {
    live: "live",
    reconnecting: "reconnecting …",
    gone: `the daemon does not answer since ${moment(state.since)}`,
    refused: `no live updates: ${state.message}`,
  };
  live.className = `live is-${state.kind}`;
  setText(live, words[state.kind]);
  const isGone = state.kind === "gone";
  document.body.classList.toggle("is-gone", isGone);
  const isTold = alert.firstChild?.dataset?.kind === "gone";
  if (isGone)
    tellAlert(
      "gone",
      `The daemon does not answer since ${moment(state.since)}. What you see is from then. `,
      "rollcast run",
      " starts it; its log says why it ended.",
    );
  if (state.kind === "live" || state.kind === "refused") {
    if (isTold) replace(alert); // it answers, if not as one would like
    if (view?.hasFailed) view.reload();
    tellReady();
  }
}

/** Whether the daemon does its work, or answers only. */
async function tellReady() {
  clearTimeout(tellReady.next);
  tellReady.next = setTimeout(tellReady, READY_EVERY);
  try {
    const response = await request("readyz");
    if (response.ok) {
      if (alert.firstChild?.dataset?.kind === "ready") replace(alert);
    } else if (response.status === 503) {
      const { error } = await response.json();
      tellAlert("ready", `The daemon is not at work: ${error.message}. What to do: ${error.hint}.`);
    }
  } catch {
    // Nobody answers: the stream says so.
  }
}

function tellAlert(kind, before, command = null, after = "") {
  retell(alert, el("p", { class: "notice", "data-kind": kind }, before, command && el("code", {}, command), after));
}

function keys(event) {
  const isTyping = event.target.matches?.("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  event.preventDefault();
  if (view === overview) return overview.filters.field.focus();
  isSearching = true;
  location.hash = back;
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // its # would be taken for an address of ours
  main.focus();
});
document.getElementById("zone").textContent = `Times in ${ZONE}`;
addEventListener("hashchange", show);
addEventListener("keydown", keys);
setInterval(() => view?.tick(), 1000);

stream.run();
await Promise.race([stream.opened, new Promise((resolve) => setTimeout(resolve, FIRST))]);
show();
