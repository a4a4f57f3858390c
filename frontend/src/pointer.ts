/** Mouse, pen and fingers on the pictures. */
import type { MaskEditor } from "./mask_editor";
import type { Navigation } from "./navigation";
import type { Roi, Rois } from "./rois";
import type { Scene } from "./scene";
import type { Stage } from "./stage";
import type { Tile } from "./tile";
import type { Tool, View } from "./view_state";
import type { Triple } from "./volume";
import { clampWindow } from "./window_levels";

/** How near to the curtain a press takes hold of it. */
const CURTAIN_REACH = 14;

/** Points of scrolling that make a slice. */
const NOTCH = 40;

/** What of the view says which voxel lies under the pointer. */
const MOVES = ["cross", "plane", "layout", "zoom", "center"] as const;

interface Drag {
  tile: Tile;
  action: Tool | "curtain";
  x: number;
  y: number;
  /** The voxel under the pointer when it was last heard of. */
  voxel: Triple | null;
  roi: Roi | null;
}

export class Pointer {
  private drag: Drag | null = null;
  private turned = 0;
  /** Where the pointer was last, on the page; null when it is over no picture. */
  private rests: { x: number; y: number } | null = null;
  private readonly fingers = new Map<number, { x: number; y: number }>();

  constructor(
    private readonly stage: Stage,
    private readonly scene: Scene,
    private readonly view: View,
    private readonly navigation: Navigation,
    private readonly rois: Rois,
    private readonly editor: MaskEditor,
    private readonly results: () => string[],
  ) {
    const { element } = stage;
    element.addEventListener("pointerdown", (event) => {
      this.down(event);
    });
    element.addEventListener("pointermove", (event) => {
      this.move(event);
    });
    element.addEventListener("pointerup", (event) => {
      this.up(event);
    });
    element.addEventListener("pointercancel", (event) => {
      this.up(event);
    });
    element.addEventListener("pointerleave", () => {
      if (this.drag === null) this.rests = null;
      if (this.drag === null) this.view.update({ pointer: null });
    });
    // The right button sets the window, so it opens no menu.
    element.addEventListener("contextmenu", (event) => {
      event.preventDefault();
    });
    element.addEventListener("wheel", (event) => {
      this.wheel(event);
    }, { passive: false });
    // Another slice, plane or zoom brings another voxel under a pointer that rests.
    view.watch((changed) => {
      if (!changed.has("pointer") && MOVES.some((one) => changed.has(one))) this.renew();
    });
  }

  private renew(): void {
    if (this.rests === null) return;
    const { x, y } = this.rests;
    const under = document.elementFromPoint(x, y);
    const tile = this.stage.tiles.find((one) => one.element.contains(under)) ?? null;
    const box = tile?.canvas.getBoundingClientRect();
    const voxel = tile === null || box === undefined ? null : tile.toVoxel(x - box.left, y - box.top);
    this.view.update({ pointer: voxel });
  }

  private tileOf(event: Event): Tile | null {
    return this.stage.tiles.find((tile) => event.target instanceof Node && tile.element.contains(event.target)) ?? null;
  }

  private static place(tile: Tile, event: MouseEvent): [number, number] {
    const box = tile.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  private down(event: PointerEvent): void {
    const tile = this.tileOf(event);
    if (tile === null || this.scene.original === null) return;
    this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    // A second finger zooms and pans; what the first began is left as it is.
    if (this.fingers.size > 1) {
      this.end();
      return;
    }
    tile.element.setPointerCapture(event.pointerId);
    const [x, y] = Pointer.place(tile, event);
    const voxel = tile.toVoxel(x, y);
    this.drag = { tile, action: this.actionOf(event, tile, x), x: event.clientX, y: event.clientY, voxel, roi: null };
    this.begin(this.drag);
  }

  private actionOf(event: PointerEvent, tile: Tile, x: number): Tool | "curtain" {
    if (event.button === 2) return "window";
    if (event.button === 1) return "pan";
    const { curtain, tool } = this.view.state;
    const hung = tile.content === "curtain" && Math.abs(x - curtain * tile.canvas.clientWidth) < CURTAIN_REACH;
    return hung ? "curtain" : tool;
  }

  private begin(drag: Drag): void {
    const { action, voxel, tile } = drag;
    const plane = tile.planeView;
    if (voxel === null || plane === null) return;
    if (action === "navigate") {
      this.navigation.moveCross(voxel);
    } else if (action === "rectangle" || action === "ellipse" || action === "line") {
      drag.roi = this.rois.begin(action, plane, voxel);
    } else if (action === "brush" || action === "erase") {
      this.editor.beginStroke();
      this.editor.dab(voxel, plane, this.view.state.brushRadius, action === "brush" ? 1 : 0);
    }
  }

  private move(event: PointerEvent): void {
    const finger = this.fingers.get(event.pointerId);
    if (finger !== undefined && this.fingers.size === 2) {
      this.pinch(event, finger);
      return;
    }
    const tile = this.drag?.tile ?? this.tileOf(event);
    if (tile === null) return;
    this.rests = { x: event.clientX, y: event.clientY };
    const voxel = tile.toVoxel(...Pointer.place(tile, event));
    this.view.update({ pointer: voxel });
    if (this.drag !== null && voxel !== null) this.pull(this.drag, event, voxel);
    this.stage.element.dataset.curtain = String(
      tile.content === "curtain" && this.actionOf(event, tile, Pointer.place(tile, event)[0]) === "curtain",
    );
  }

  private pull(drag: Drag, event: PointerEvent, voxel: Triple): void {
    const [right, down] = [event.clientX - drag.x, event.clientY - drag.y];
    const { action, tile } = drag;
    const plane = tile.planeView;
    if (plane === null) return;
    if (action === "curtain") this.pullCurtain(tile, event);
    else if (action === "navigate") this.navigation.moveCross(voxel);
    else if (action === "window") this.pullWindow(right, down);
    else if (action === "zoom") this.navigation.zoomBy(Math.exp(-down / 150));
    else if (action === "pan") {
      if (drag.voxel !== null) this.navigation.panBy(drag.voxel, voxel);
    } else if (drag.roi !== null) this.rois.stretch(drag.roi, voxel);
    else if (drag.voxel !== null && (action === "brush" || action === "erase")) {
      this.editor.drag(drag.voxel, voxel, plane, this.view.state.brushRadius, action === "brush" ? 1 : 0);
    }
    drag.x = event.clientX;
    drag.y = event.clientY;
    // After a pan another voxel lies under the pointer: the one that did when it began.
    if (action !== "pan") drag.voxel = voxel;
  }

  private pullCurtain(tile: Tile, event: PointerEvent): void {
    const [x] = Pointer.place(tile, event);
    this.view.update({ curtain: Math.min(1, Math.max(0, x / tile.canvas.clientWidth)) });
  }

  /** Right widens, down raises the level, which darkens: as workstations do. Wide ones move faster. */
  private pullWindow(right: number, down: number): void {
    const { window } = this.view.state;
    const pace = Math.max(1, window.width / 300);
    this.view.update({
      window: clampWindow({ width: window.width + right * pace, level: window.level + down * pace }),
    });
  }

  private pinch(event: PointerEvent, finger: { x: number; y: number }): void {
    const other = [...this.fingers.entries()].find(([id]) => id !== event.pointerId)?.[1];
    const tile = this.tileOf(event) ?? this.stage.tiles[0];
    if (other === undefined) return;
    const before = Math.hypot(finger.x - other.x, finger.y - other.y);
    const after = Math.hypot(event.clientX - other.x, event.clientY - other.y);
    const box = tile.canvas.getBoundingClientRect();
    const middle = (x: number, y: number): Triple | null =>
      tile.toVoxel((x + other.x) / 2 - box.left, (y + other.y) / 2 - box.top);
    const from = middle(finger.x, finger.y);
    const to = middle(event.clientX, event.clientY);
    if (from !== null && to !== null) this.navigation.panBy(from, to);
    if (before > 0 && after > 0) this.navigation.zoomBy(after / before, from);
    this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  private up(event: PointerEvent): void {
    this.fingers.delete(event.pointerId);
    this.end();
  }

  private end(): void {
    const drag = this.drag;
    this.drag = null;
    if (drag === null) return;
    if (drag.roi !== null) this.rois.finish(drag.roi, this.results());
    if (drag.action === "brush" || drag.action === "erase") this.editor.endStroke();
    if (drag.action === "navigate") this.navigation.moved = true;
  }

  private wheel(event: WheelEvent): void {
    const tile = this.tileOf(event);
    if (tile === null) return;
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) {
      this.navigation.zoomBy(Math.exp(-event.deltaY / 400), tile.toVoxel(...Pointer.place(tile, event)));
      return;
    }
    // A notch of a wheel is a slice; a touch pad sends many small parts of one.
    this.turned += event.deltaY;
    if (Math.abs(event.deltaY) < NOTCH && Math.abs(this.turned) < NOTCH) return;
    this.navigation.scroll(Math.sign(this.turned), tile.planeView);
    this.turned = 0;
  }
}
