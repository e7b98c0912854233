// The models of a series' panel: fitted when, promoted or rejected, and why.

import { get, pathOf } from "./api.js";
import { el, replace } from "./dom.js";
import { noticeOf } from "./notice.js";
import { table } from "./table.js";
import { moment } from "./time.js";

const SHOWN = 20;

export class Models {
  constructor(name) {
    this.name = name;
    this.body = el("div", {});
    this.element = el("section", { "aria-labelledby": "models" }, el("h2", { id: "models" }, "Models"), this.body);
  }

  async load() {
    try {
      const { models, panel } = await get(pathOf(this.name, "/models"), { limit: SHOWN });
      replace(
        this.body,
        models.length ? modelTable(models, panel) : el("p", { class: "quiet" }, "None yet: the first refit makes one."),
      );
    } catch (error) {
      replace(this.body, noticeOf(error));
    }
  }
}

function modelTable(models, panel) {
  const columns = [
    ["version", (m) => `v${m.version}`],
    ["kind", (m) => m.kind],
    ["fitted", (m) => moment(m.trained_at)],
    ["standing", (m) => el("span", { class: `standing is-${m.standing.replaceAll(" ", "-")}` }, m.standing)],
    ["the gate said", (m) => m.verdict || "–", "wide"],
    ["promoted", (m) => (m.promoted_at ? `${moment(m.promoted_at)}${m.reason ? `: ${m.reason}` : ""}` : "–"), "wide"],
  ];
  return table(`The newest models of panel ${panel}`, columns, models);
}
