// The panels of the overview: each a heading that tells how it stands, and the cards of its series.

import { arrange, el, replace, setText } from "./dom.js";
import { count, whole } from "./numbers.js";
import { ago, due, duration, rhythm, Times } from "./time.js";

export class Group {
  constructor(name) {
    this.name = name;
    this.about = el("p", { class: "quiet" });
    this.trouble = el("p", { class: "notice", hidden: true });
    this.list = el("ul", { class: "cards" });
    const id = `panel-${encodeURIComponent(name)}`;
    this.element = el("section", { class: "panel", "aria-labelledby": id }, [
      el("div", { class: "row" }, el("h2", { id }, name), this.about),
      this.trouble,
      this.list,
    ]);
  }

  /** Tell how the panel stands. isFiltered: not all of its series are wanted. */
  tell(panel, isFiltered) {
    this.panel = panel;
    this.times = new Times(panel.interval);
    this.isFiltered = isFiltered;
    this.tick();
  }

  /** Show these cards, in order. */
  fill(cards) {
    arrange(
      this.list,
      cards.map((card) => card.element),
    );
    this.list.hidden = cards.length === 0;
  }

  /** Let the times to come draw near. */
  tick() {
    const { panel } = this;
    if (!panel) return;
    const ahead = `${count(panel.horizon, "step")} ahead (${duration(panel.horizon * this.times.seconds)})`;
    const model = panel.model ? `served by ${panel.model} v${panel.model_version}` : "no model yet";
    const refit = panel.next_refit ? `refit ${due(panel.next_refit)}` : null;
    setText(this.about, [this.series(), rhythm(panel.interval), ahead, model, refit].filter(Boolean).join(" · "));
    this.tellTrouble();
  }

  series() {
    const all = count(this.panel.series, "series", "series");
    return this.isFiltered ? `${whole(this.list.children.length)} of ${all} shown` : all;
  }

  reason(run) {
    return this.times.within(run.reason);
  }

  tellTrouble() {
    const { panel } = this;
    const fetch = panel.last_runs?.fetch;
    const failed = fetch?.outcome === "failed";
    const isEmpty = panel.series === 0 && !this.isFiltered;
    this.trouble.hidden = !failed && !isEmpty;
    if (this.trouble.hidden) return;
    const first = panel.next_fetch ? ` It is due ${due(panel.next_fetch)}.` : "";
    replace(
      this.trouble,
      isEmpty && !failed && `No series yet: the first fetch makes them.${first}`,
      isEmpty &&
        !failed &&
        fetch &&
        ` The last one ended ${fetch.outcome}: ${this.reason(fetch) || "it brought nothing"}.`,
      failed && `The last fetch failed ${ago(fetch.ended ?? fetch.started)}: ${this.reason(fetch)}. `,
      failed && panel.next_fetch && `It is tried again ${due(panel.next_fetch)}. `,
      (failed || fetch) && [" To see what the source has: ", el("code", {}, `rollcast fetch ${panel.name} --dry-run`)],
    );
  }
}
