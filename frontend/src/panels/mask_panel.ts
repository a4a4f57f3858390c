/** Painting the metal that a method is to take for metal. */
import { byId, el } from "../dom";
import type { MaskEditor } from "../mask_editor";
import type { Scene } from "../scene";
import type { View } from "../view_state";

export class MaskPanel {
  private readonly fromResult = el("button", { type: "button", id: "mask-from-result", onclick: () => { this.start(true); } }, "Start from the metal found");
  private readonly empty = el("button", { type: "button", id: "mask-empty", onclick: () => { this.start(false); } }, "Start empty");
  private readonly beginning = el("div", { class: "row" }, this.fromResult, this.empty);
  private readonly size = el("input", { type: "range", id: "brush-size", min: "1", max: "30", step: "1" });
  private readonly sizeText = el("output", { for: "brush-size" });
  private readonly undo = el("button", { type: "button", id: "mask-undo", onclick: () => { this.editor.undo(); } }, "Undo");
  private readonly origin = el("p", { class: "hint" });
  private readonly editing: HTMLElement;

  constructor(
    private readonly scene: Scene,
    private readonly view: View,
    private readonly editor: MaskEditor,
    onCorrect: () => void,
  ) {
    const tool = (name: "brush" | "erase", text: string): HTMLElement =>
      el("button", { type: "button", "data-tool": name, "aria-pressed": "false", onclick: () => { this.view.update({ tool: name }); } }, text);
    this.size.addEventListener("input", () => {
      this.view.update({ brushRadius: Number(this.size.value) });
    });
    this.editing = el("div", {},
      this.origin,
      el("div", { class: "row" }, tool("brush", "Brush"), tool("erase", "Eraser"), this.undo),
      el("div", { class: "row" }, el("label", { for: "brush-size" }, "Size"), this.size, this.sizeText),
      el("div", { class: "row" },
        el("button", { type: "button", id: "mask-correct", class: "primary", onclick: onCorrect }, "Correct with this metal"),
        el("button", { type: "button", id: "mask-discard", onclick: () => { this.discard(); } }, "Discard"),
      ),
    );
    byId("mask-panel").append(this.beginning, this.editing);
  }

  update(): void {
    const editing = this.editor.mask !== null;
    this.beginning.hidden = editing;
    this.editing.hidden = !editing;
    this.fromResult.disabled = this.scene.result === null;
    this.empty.disabled = this.scene.original === null;
    this.undo.disabled = !this.editor.canUndo;
    this.size.value = String(this.view.state.brushRadius);
    this.sizeText.textContent = `${2 * this.view.state.brushRadius - 1} pixels`;
    this.origin.textContent = this.editor.origin === null ? "Began empty. Paint what is metal (green)." : `Began with the metal of ${this.editor.origin}.`;
    if (!editing && (this.view.state.tool === "brush" || this.view.state.tool === "erase")) this.view.update({ tool: "navigate" });
  }

  /** Begin painting, if that was not done: from the result on the right where there is one. */
  ensureStarted(): void {
    if (this.editor.mask === null) this.start(true);
  }

  private start(fromResult: boolean): void {
    const { original } = this.scene;
    if (original === null) return;
    const metal = fromResult ? this.scene.part("metal") : null;
    this.editor.start(original, metal, this.scene.result);
    if (this.view.state.tool !== "erase") this.view.update({ tool: "brush" });
  }

  private discard(): void {
    this.editor.stop();
    this.view.update({ tool: "navigate" });
  }
}
