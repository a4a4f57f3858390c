/** HU under the pointer, or at the crosshair, on both sides; the slice and the curtain by sliders. */
import { byId, el } from "../dom";
import type { Navigation } from "../navigation";
import type { Scene } from "../scene";
import type { View } from "../view_state";
import { number } from "./measure_panel";

export class StatusBar {
  private readonly slice = el("input", { type: "range", id: "slice", min: "0", "aria-label": "Slice" });
  private readonly sliceText = el("output", { for: "slice", id: "slice-text" });
  private readonly curtain = el("input", { type: "range", id: "curtain", min: "0", max: "1000", "aria-label": "Curtain" });
  private readonly curtainRow = el("label", { class: "curtain-row" }, "Curtain", this.curtain);
  private readonly place = el("span", { id: "place" });
  private readonly original = el("b", { id: "hu-original" });
  private readonly corrected = el("b", { id: "hu-corrected" });
  private readonly difference = el("b", { id: "hu-difference" });
  private readonly smooth = el("input", { type: "checkbox", id: "smooth" });

  constructor(
    private readonly scene: Scene,
    private readonly view: View,
    private readonly navigation: Navigation,
  ) {
    this.slice.addEventListener("input", () => {
      const plane = this.navigation.mainPlane;
      if (plane !== null) this.navigation.goTo(Number(this.slice.value), plane);
    });
    this.curtain.addEventListener("input", () => {
      this.view.update({ curtain: Number(this.curtain.value) / 1000 });
    });
    this.smooth.addEventListener("change", () => {
      this.view.update({ smooth: this.smooth.checked });
    });
    byId("status").append(
      el("div", { class: "slider" }, el("label", { for: "slice" }, "Slice"), this.slice, this.sliceText),
      el("div", { class: "readout", id: "readout" },
        this.place, el("span", {}, "original ", this.original), el("span", {}, "corrected ", this.corrected), el("span", {}, "difference ", this.difference)),
    );
    byId("view-options").append(el("label", { class: "check" }, this.smooth, "Smooth"), this.curtainRow);
  }

  update(): void {
    const { state } = this.view;
    const plane = this.navigation.mainPlane;
    // It keeps its place: pictures must not jump from one view to the next.
    this.curtainRow.classList.toggle("off", state.layout !== "curtain");
    this.curtain.value = String(Math.round(1000 * state.curtain));
    this.smooth.checked = state.smooth;
    if (plane === null) return;
    const index = state.cross[plane.through];
    this.slice.max = String(this.navigation.sliceCount - 1);
    this.slice.value = String(index);
    this.sliceText.textContent = `${index + 1} / ${this.navigation.sliceCount}`;
    this.read();
  }

  private read(): void {
    const { pointer, cross } = this.view.state;
    const point = pointer ?? cross;
    const [i, j, k] = point.map(Math.round);
    const before = this.scene.original?.at(point) ?? null;
    const after = this.scene.result === null ? null : (this.scene.part("corrected")?.at(point) ?? null);
    this.place.textContent = before === null ? "outside" : `${pointer === null ? "crosshair" : "pointer"} ${i + 1}, ${j + 1}, slice ${k + 1}`;
    this.original.textContent = shown(before, false);
    this.corrected.textContent = shown(after, false);
    this.difference.textContent = shown(before === null || after === null ? null : after - before, true);
  }
}

function shown(hu: number | null, signed: boolean): string {
  return hu === null ? "–" : `${number(hu, Number.isInteger(hu) ? 0 : 1, signed)} HU`;
}
