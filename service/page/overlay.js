// What is drawn over the large chart: where the forecast sets out, and past forecasts as a whole.

import { colour } from "./chart.js";

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

/** Forecasts, each as it was issued. */
export function drawWhole(plot, forecasts) {
  within(plot, (pen) => {
    pen.strokeStyle = colour("past");
    pen.lineWidth = devicePixelRatio;
    pen.globalAlpha = 0.7;
    for (const { steps } of forecasts) {
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
