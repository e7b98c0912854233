// Tables, and what unfolds.

import { el } from "./dom.js";

/** A table. columns: [heading, row → what its cell holds, class]. A cell of the first column heads its row. */
export function table(caption, columns, rows) {
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el(
      "table",
      {},
      el("caption", { class: "hidden" }, caption),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          columns.map(([heading, , kind]) => el("th", { scope: "col", class: kind }, heading)),
        ),
      ),
      el(
        "tbody",
        {},
        rows.map((row) =>
          el(
            "tr",
            {},
            columns.map(([, cell, kind], i) =>
              i ? el("td", { class: kind }, cell(row)) : el("th", { scope: "row", class: kind }, cell(row)),
            ),
          ),
        ),
      ),
    ),
  );
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
