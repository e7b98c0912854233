// What of the overview is wanted: a search in the names, and a state, with counts.

import { el, setText } from "./dom.js";
import { whole } from "./numbers.js";
import { STATES, wordOf } from "./states.js";

const SETTLED = 200; // milliseconds without another key

export class Filters {
  /** onChange: called once something else is wanted. */
  constructor(onChange) {
    Object.assign(this, { search: "", status: null, onChange, buttons: new Map() });
    this.field = el("input", {
      type: "search",
      id: "search",
      placeholder: "Search a series",
      "aria-label": "Search a series by name",
      "aria-keyshortcuts": "/",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => this.typed(),
      onkeydown: (event) => this.key(event),
    });
    this.found = el("p", { class: "found quiet", role: "status" });
    this.states = el("div", { class: "states", role: "group", "aria-label": "Show series in state" });
    this.element = el(
      "div",
      { class: "filters" },
      el("div", { class: "search" }, this.field, el("kbd", { "aria-hidden": "true" }, "/")),
      this.found,
      this.states,
    );
    this.button(null);
  }

  /** Whether not everything is wanted. */
  get isOn() {
    return this.search !== "" || this.status !== null;
  }

  /** Want these. True where others were wanted before. */
  set(search, status) {
    if (search === this.search && status === this.status) return false;
    this.field.value = this.search = search;
    this.status = status;
    if (status && !this.buttons.has(status)) this.button(status);
    this.press();
    return true;
  }

  /** Want everything again. */
  clear() {
    this.field.value = this.search = "";
    this.choose(null);
  }

  /** Tell how many series are like what is wanted, of which there may be more. */
  tellFound(n, hasMore) {
    setText(this.found, this.isOn ? `${hasMore ? "more than " : ""}${whole(n)} found` : "");
  }

  /** Tell how many series are in each state. */
  tell(counts) {
    const total = Object.values(counts).reduce((sum, n) => sum + n, 0);
    this.label(null, total);
    const known = Object.keys(STATES);
    const found = new Set([...known, ...Object.keys(counts)]);
    for (const status of found) {
      const n = counts[status] ?? 0;
      if (n || status === this.status || this.buttons.has(status)) this.label(status, n);
    }
  }

  label(status, n) {
    const button = this.buttons.get(status) ?? this.button(status);
    setText(button.lastChild, ` ${whole(n)}`);
    button.hidden = n === 0 && status !== null && status !== this.status;
  }

  button(status) {
    const button = el(
      "button",
      {
        type: "button",
        class: `state is-${status ?? "all"}`,
        "aria-pressed": String(status === this.status),
        onclick: () => this.choose(status),
      },
      status && el("span", { class: "sign", "aria-hidden": "true" }, `${STATES[status]?.sign ?? "?"} `),
      status === null ? "all" : wordOf(status),
      el("span", { class: "count" }),
    );
    this.buttons.set(status, button);
    this.states.append(button);
    return button;
  }

  choose(status) {
    this.status = status;
    this.press();
    this.onChange();
  }

  press() {
    for (const [of, button] of this.buttons) button.setAttribute("aria-pressed", String(of === this.status));
  }

  typed() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      if (this.search === this.field.value.trim()) return;
      this.search = this.field.value.trim();
      this.onChange();
    }, SETTLED);
  }

  key(event) {
    if (event.key !== "Escape") return;
    if (this.field.value) {
      event.preventDefault();
      this.field.value = "";
      this.typed();
    } else this.field.blur();
  }
}
