/** The tools without a pointer: Enter presses at the crosshair, Shift and arrows draw along. */
import type { MaskEditor } from "./mask_editor";
import type { Navigation } from "./navigation";
import type { Roi, Rois } from "./rois";
import type { View } from "./view_state";

export class KeyboardPen {
  private roi: Roi | null = null;

  constructor(
    private readonly view: View,
    private readonly navigation: Navigation,
    private readonly rois: Rois,
    private readonly editor: MaskEditor,
    private readonly results: () => string[],
  ) {}

  press(): void {
    const { tool, cross, brushRadius } = this.view.state;
    const plane = this.navigation.mainPlane;
    if (plane === null) return;
    if (this.roi !== null) {
      this.rois.finish(this.roi, this.results());
      this.roi = null;
    } else if (tool === "rectangle" || tool === "ellipse" || tool === "line") {
      this.roi = this.rois.begin(tool, plane, cross);
    } else if (tool === "brush" || tool === "erase") {
      this.editor.beginStroke();
      this.editor.dab(cross, plane, brushRadius, tool === "brush" ? 1 : 0);
      this.editor.endStroke();
    }
  }

  drawAlong(): void {
    if (this.roi !== null) this.rois.stretch(this.roi, this.view.state.cross);
  }

  /** Drop what was begun and not ended; false where there was nothing. */
  escape(): boolean {
    if (this.roi === null) return false;
    this.rois.remove(this.roi);
    this.roi = null;
    return true;
  }
}
