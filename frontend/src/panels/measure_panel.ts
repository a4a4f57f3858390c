/** Measurements: a table for each region, and the profile along a line. */
import type { Measurement, Statistics } from "../api";
import { byId, el } from "../dom";
import type { Roi, Rois } from "../rois";
import type { Server } from "../server_state";
import type { View } from "../view_state";
import { profileChart } from "./profile_chart";

const WORDS = { rectangle: "Rectangle", ellipse: "Ellipse", line: "Line" };

export class MeasurePanel {
  constructor(
    private readonly server: Server,
    private readonly view: View,
    private readonly rois: Rois,
    private readonly onShow: (roi: Roi) => void,
  ) {}

  update(): void {
    const panel = byId("measure-panel");
    if (this.rois.list.length === 0) {
      panel.replaceChildren(el("p", { class: "hint" }, "Draw a rectangle, an ellipse or a line on a picture. HU are measured by the server from the stored values, on both sides."));
      return;
    }
    panel.replaceChildren(...[...this.rois.list].reverse().map((roi) => this.one(roi)));
  }

  private one(roi: Roi): HTMLElement {
    const name = `${WORDS[roi.shape]} ${roi.number}`;
    const { measured } = roi;
    const head = el("div", { class: "row roi-head" },
      el("strong", {}, name),
      el("button", { type: "button", class: "link", onclick: () => { this.onShow(roi); } }, `Show ${roi.plane} ${roi.index + 1}`),
      el("button", { type: "button", class: "small", "aria-label": `Remove ${name}`, onclick: () => { this.rois.remove(roi); } }, "Remove"),
    );
    const box = el("div", { class: roi.chosen ? "roi chosen" : "roi", "data-roi": String(roi.number) }, head);
    if (roi.error !== null) box.append(el("p", { class: "problem", role: "alert" }, roi.error));
    else if (measured === null) box.append(el("p", { class: "hint" }, "Measuring"));
    else box.append(el("p", { class: "hint" }, sizeOf(measured)), this.table(measured), ...this.chart(measured));
    return box;
  }

  private table(measured: Measurement): HTMLElement {
    const rows = [row("Original", measured.original, false)];
    for (const [id, one] of Object.entries(measured.results)) {
      const title = this.server.result(id)?.title ?? "Corrected";
      rows.push(row(title, one.corrected, false), row(`${title} − original`, one.difference, true));
    }
    const heads = ["HU", "mean", "SD", "min", "max"].map((text) => el("th", { scope: "col" }, text));
    return el("table", { class: "statistics" }, el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...rows));
  }

  private chart(measured: Measurement): Element[] {
    const { profile } = measured;
    if (profile?.mm === undefined) return [];
    const lines = Object.entries(profile)
      .filter(([id]) => id === "original" || id === this.view.state.result)
      .map(([id, values]) => ({ name: id === "original" ? "Original" : (this.server.result(id)?.title ?? "Corrected"), values }));
    return [profileChart(profile.mm, lines)];
  }
}

function row(title: string, statistics: Statistics, signed: boolean): HTMLElement {
  const { mean, sd, min, max } = statistics;
  const cells = [number(mean, 1, signed), number(sd, 1, false), number(min, 0, signed), number(max, 0, signed)];
  return el("tr", { class: signed ? "difference" : "" }, el("th", { scope: "row" }, title), ...cells.map((text) => el("td", {}, text)));
}

/** A true minus sign, and a plus where the sign is the point. */
export function number(value: number, digits: number, signed: boolean): string {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return value < 0 ? `−${text}` : signed ? `+${text}` : text;
}

function sizeOf(measured: Measurement): string {
  if (measured.length_mm !== undefined) return `${measured.length_mm.toFixed(1)} mm, ${measured.pixels} points`;
  const area = measured.area_mm2;
  const shown = area >= 1000 ? `${(area / 100).toFixed(1)} cm²` : `${area.toFixed(area < 10 ? 1 : 0)} mm²`;
  return `${shown}, ${measured.pixels} ${measured.pixels === 1 ? "pixel" : "pixels"}`;
}
