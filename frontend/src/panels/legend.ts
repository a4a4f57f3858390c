/** What the colours and lines upon the pictures mean. */
import { DEAD_ZONE, DO_NOT_TRUST, ERROR_LIMIT, ERROR_SHOWN_FROM, differenceInk, errorInk, type Ink } from "../color_maps";
import { byId, el, svg } from "../dom";
import type { Scene } from "../scene";
import type { View } from "../view_state";

const [WIDTH, HEIGHT] = [220, 12];
const LIMITS = [100, 200, 300, 500, 1000];

export class Legend {
  private key = "";

  constructor(
    private readonly scene: Scene,
    private readonly view: View,
  ) {}

  update(): void {
    const { overlays, differenceLimit } = this.view.state;
    const shown = this.scene.result !== null;
    const key = JSON.stringify([overlays, differenceLimit, shown, this.scene.result?.has_error]);
    if (key === this.key) return;
    this.key = key;
    const parts: Node[] = [];
    if (shown && overlays.difference) parts.push(this.difference(differenceLimit));
    if (shown && overlays.error && this.scene.result?.has_error === true) parts.push(errors());
    const swatches: Node[] = [];
    if (shown && overlays.metal) swatches.push(swatch("metal-line", "metal that was corrected"), swatch("left-line", "metal left alone"));
    if (shown && overlays.near) swatches.push(swatch("near-fill", "within 5 mm of metal: errors are largest here"));
    parts.push(el("div", { class: "swatches" }, ...swatches));
    byId("legend").replaceChildren(...parts);
  }

  private difference(limit: number): HTMLElement {
    const choice = el("select", { id: "difference-limit", "aria-label": "Largest change shown, HU", onchange: () => {
      this.view.update({ differenceLimit: Number(choice.value) });
      document.getElementById("difference-limit")?.focus();
    } }, ...LIMITS.map((one) => el("option", { value: String(one), selected: one === limit }, `±${one}`)));
    const ticks: [number, string][] = [[-limit, `−${limit}`], [-DEAD_ZONE, ""], [0, `±${DEAD_ZONE} not coloured`], [DEAD_ZONE, ""], [limit, `+${limit}`]];
    return el("div", { class: "legend-bar", id: "difference-legend" },
      el("span", {}, "Corrected − original, HU"),
      bar(-limit, limit, (hu) => differenceInk(hu, limit), ticks), choice);
  }
}

function errors(): HTMLElement {
  const ticks: [number, string][] = [[ERROR_SHOWN_FROM, String(ERROR_SHOWN_FROM)], [DO_NOT_TRUST, `${DO_NOT_TRUST}: do not trust`], [ERROR_LIMIT, `${ERROR_LIMIT}+`]];
  return el("div", { class: "legend-bar", id: "error-legend" }, el("span", {}, "Expected error, HU"), bar(ERROR_SHOWN_FROM, ERROR_LIMIT, errorInk, ticks));
}

function bar(low: number, high: number, ink: (hu: number) => Ink, ticks: [number, string][]): SVGElement {
  const steps = 110;
  const x = (hu: number): number => 10 + ((hu - low) / (high - low)) * WIDTH;
  const cells = Array.from({ length: steps }, (_, step) => {
    const { red, green, blue, opacity } = ink(low + ((step + 0.5) / steps) * (high - low));
    const fill = `rgb(${red},${green},${blue})`;
    return svg("rect", { x: 10 + (step * WIDTH) / steps, y: 2, width: WIDTH / steps + 0.3, height: HEIGHT, fill, "fill-opacity": opacity });
  });
  const marks = ticks.flatMap(([hu, text], place) => {
    const anchor = place === 0 ? "start" : place === ticks.length - 1 ? "end" : "middle";
    const at = anchor === "start" ? 1 : anchor === "end" ? WIDTH + 19 : x(hu);
    return [
      svg("line", { x1: x(hu), x2: x(hu), y1: 2, y2: HEIGHT + 5, stroke: "#cfd6dc", "stroke-width": text === "" || hu !== 0 ? 1 : 0 }),
      svg("text", { x: at, y: HEIGHT + 15, "text-anchor": anchor, class: "tick" }, text),
    ];
  });
  const frame = svg("rect", { x: 10, y: 2, width: WIDTH, height: HEIGHT, fill: "none", stroke: "#6b7680" });
  const words = ticks.map(([, text]) => text).filter((text) => text !== "").join(", ");
  return svg("svg", { viewBox: `0 0 ${WIDTH + 20} ${HEIGHT + 18}`, role: "img", "aria-label": words }, ...cells, frame, ...marks);
}

function swatch(name: string, text: string): HTMLElement {
  return el("span", { class: "swatch" }, el("i", { class: name, "aria-hidden": "true" }), text);
}
