// Tables, and what unfolds.

import { el, replace } from "./dom.js";

/**
 * A table that is filled anew in place: who reads in it keeps the focus, and how far it was scrolled. On a phone a
 * cell of the class `wide` stands below its row, behind its heading.
 */
export class Table {
  constructor() {
    this.caption = el("caption", { class: "hidden" });
    this.head = el("tr", {});
    this.body = el("tbody", {});
    this.element = el(
      "div",
      { class: "scroll", tabindex: "0", role: "region" },
      (this.table = el("table", {}, this.caption, el("thead", {}, this.head), this.body)),
    );
  }

  /** columns: [heading, row → what its cell holds, class]. A cell of the first column heads its row. */
  fill(caption, columns, rows) {
    this.element.setAttribute("aria-label", caption);
    this.table.classList.toggle(
      "has-wide",
      columns.some(([, , kind]) => kind === "wide"),
    );
    replace(this.caption, caption);
    replace(
      this.head,
      columns.map(([heading, , kind]) => el("th", { scope: "col", class: kind }, heading)),
    );
    replace(
      this.body,
      rows.map((row) =>
        el(
          "tr",
          {},
          columns.map(([heading, cell, kind], i) =>
            i
              ? el("td", { class: kind, "data-heading": kind === "wide" && heading }, cell(row))
              : el("th", { scope: "row", class: kind }, cell(row)),
          ),
        ),
      ),
    );
  }
}

/** What unfolds. */
export function details(summary, content) {
  return el("details", {}, el("summary", {}, summary), content);
}

/** A choice among values: [value, words]. */
export function choice(label, values, chosen, onChange) {
  const select = el(
    "select",
    { onchange: () => onChange(select.value) },
    values.map(([value, words]) => el("option", { value, selected: value === chosen }, words)),
  );
  return el("label", { class: "choice" }, `${label} `, select);
}
