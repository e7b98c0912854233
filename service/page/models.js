// The models of a series' panel: fitted when, promoted or rejected, and why.

import { get, pathOf } from "./api.js";
import { el, replace, setText } from "./dom.js";
import { noticeOf } from "./notice.js";
import { Table } from "./table.js";
import { moment } from "./time.js";

const SHOWN = 20;

export class Models {
  /** times: how times are told in its reasons. */
  constructor(name, times) {
    Object.assign(this, { name, times });
    this.table = new Table();
    this.message = el("div", {});
    this.none = el("p", { class: "quiet" });
    this.element = el(
      "section",
      { "aria-labelledby": "models" },
      el("h2", { id: "models" }, "Models"),
      this.message,
      this.none,
      this.table.element,
    );
    this.table.element.hidden = true;
  }

  async load() {
    try {
      const { models, panel } = await get(pathOf(this.name, "/models"), { limit: SHOWN });
      replace(this.message);
      this.table.element.hidden = models.length === 0;
      setText(this.none, models.length ? "" : "None yet: the first refit makes one.");
      this.tell(models, panel);
    } catch (error) {
      replace(this.message, noticeOf(error));
    }
  }

  tell(models, panel) {
    const columns = [
      ["version", (m) => `v${m.version}`],
      ["kind", (m) => m.kind],
      ["fitted", (m) => moment(m.trained_at)],
      ["standing", (m) => el("span", { class: `standing is-${m.standing.replaceAll(" ", "-")}` }, m.standing)],
      ["the gate said", (m) => this.times.within(m.verdict), "wide"],
      ["promoted", (m) => this.promoted(m), "wide"],
    ];
    this.table.fill(`The newest models of panel ${panel}`, columns, models);
  }

  promoted({ promoted_at: at, reason }) {
    if (!at) return "";
    return reason ? `${moment(at)}: ${this.times.within(reason)}` : moment(at);
  }
}
