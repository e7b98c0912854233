// What is drawn over the large chart: where the forecast sets out, and past forecasts as a whole.

import { colour } from "./chart.js";

const LINES_DRAWN = 40; // of past forecasts

/** Where the latest forecast sets out. */
export function drawCutoff(plot, cutoff) {
  const x = Math.round(plot.valToPos(cutoff, "x", true));
  const { left, top, width, height } = plot.bbox;
  if (x < left || x > left + width) return;
  within(plot, (pen) => {
    pen.strokeStyle = colour("quiet");
    pen.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
    pen.moveTo(x, top);
    pen.lineTo(x, top + height);
    pen.stroke();
  });
}

/** Past forecasts, each as it was issued: all where they are few, else some, evenly. */
export function drawWhole(plot, past, from) {
  const seen = past.filter(({ steps }) => steps.length && Date.parse(steps.at(-1).target_ts) / 1000 > from);
  const every = Math.ceil(seen.length / LINES_DRAWN);
  within(plot, (pen) => {
    pen.strokeStyle = colour("past");
    pen.lineWidth = devicePixelRatio;
    pen.globalAlpha = 0.7;
    for (const { steps } of seen.filter((_, i) => i % every === 0)) {
      steps.forEach((step, i) =>
        pen[i ? "lineTo" : "moveTo"](
          plot.valToPos(Date.parse(step.target_ts) / 1000, "x", true),
          plot.valToPos(step.mean, "y", true),
        ),
      );
    }
    pen.stroke();
  });
}

function within(plot, draw) {
  const { ctx: pen, bbox } = plot;
  pen.save();
  pen.beginPath();
  pen.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  pen.clip();
  pen.beginPath();
  draw(pen);
  pen.restore();
}
