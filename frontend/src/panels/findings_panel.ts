/** What was done and where to doubt it: warnings, and the decision for each piece of metal. */
import type { Decision, Result } from "../api";
import { byId, el } from "../dom";
import type { Server } from "../server_state";
import type { View } from "../view_state";

/** Heavier warnings first. What is of no known level is taken for heavy. */
const LEVELS: Record<string, { order: number; word: string }> = {
  warning: { order: 0, word: "Warning" },
  caution: { order: 1, word: "Caution" },
  note: { order: 2, word: "Note" },
  info: { order: 2, word: "Note" },
};

export class FindingsPanel {
  private key = "";

  constructor(
    private readonly server: Server,
    private readonly view: View,
    private readonly goToSlice: (slice: number) => void,
  ) {}

  update(): void {
    const result = this.server.result(this.view.state.result);
    const series = this.server.series(this.view.state.series);
    const { left_out } = this.server.state;
    const key = JSON.stringify([result?.id, series?.warnings, series?.error, left_out]);
    if (key === this.key) return;
    this.key = key;
    const parts: Node[] = [];
    if (series !== null) {
      const said = series.warnings.map((text) => el("li", { class: "caution" }, text));
      if (series.error !== null) said.unshift(el("li", { class: "warning" }, `Not read to its end: ${series.error}`));
      if (said.length > 0) parts.push(el("h3", {}, "This series"), list(said));
    }
    if (result !== null) parts.push(...this.ofResult(result, series?.warnings ?? []));
    else parts.push(el("p", { class: "hint" }, "Nothing was corrected yet."));
    if (left_out.length > 0) {
      parts.push(el("h3", {}, "Not opened"), list(left_out.map(({ what, why }) => el("li", {}, `${what}: ${why}`))));
    }
    byId("findings-panel").replaceChildren(...parts);
  }

  private ofResult(result: Result, told: readonly string[]): Node[] {
    const parts: Node[] = [];
    const sorted = result.warnings
      .filter((one) => !told.includes(one.message))
      .sort((a, b) => levelOf(a.level).order - levelOf(b.level).order);
    if (sorted.length > 0) {
      const items = sorted.map((one) => {
        const { order, word } = levelOf(one.level);
        return el("li", { class: order === 0 ? "warning" : "caution" }, el("strong", {}, `${word}: `), one.message);
      });
      parts.push(el("h3", {}, `Before you believe ${result.title}`), list(items));
    }
    if (result.exports.includes("report.html")) {
      parts.push(el("p", { class: "hint" }, "The report, under Export, measures what fell or rose: parts of implants, bone, fat and muscle near metal."));
    }
    const corrected = result.objects.filter((one) => one.corrected);
    const leftAlone = result.objects.filter((one) => !one.corrected);
    if (corrected.length > 0) parts.push(el("h3", {}, "Metal that was corrected"), this.decisions(corrected));
    if (leftAlone.length > 0) {
      const summary = el("summary", {}, `${leftAlone.length} left alone, and why`);
      parts.push(el("details", { open: corrected.length === 0 }, summary, this.decisions(leftAlone)));
    }
    if (corrected.length === 0 && result.metal.length === 0) {
      parts.push(el("p", {}, "No metal that makes artifacts was found: the images are as they were."));
    }
    return parts;
  }

  private decisions(all: Decision[]): HTMLElement {
    return list(all.map((decision) => {
      const [first, last] = decision.slices;
      const middle = Math.round((first + last) / 2);
      const where = first === last ? `slice ${first + 1}` : `slices ${first + 1} to ${last + 1}`;
      const jump = el("button", { type: "button", class: "link", onclick: () => { this.goToSlice(middle); } }, `Show ${where}`);
      const sentence = decision.sentence.charAt(0).toUpperCase() + decision.sentence.slice(1);
      return el("li", { class: decision.corrected ? "corrected" : "left-alone" }, `${sentence}. `, jump);
    }));
  }
}

function levelOf(level: string): { order: number; word: string } {
  return LEVELS[level] ?? { order: 0, word: "Warning" };
}

function list(items: HTMLElement[]): HTMLElement {
  return el("ul", { class: "findings" }, ...items);
}
