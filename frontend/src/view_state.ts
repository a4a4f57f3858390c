/** What the reader looks at and how: one object, changed through `update`, watched by the page. */
import type { Window } from "./api";
import type { Plane } from "./planes";
import type { Triple } from "./volume";

export type Layout = "side" | "curtain" | "blink";
export type PlaneChoice = Plane | "multi";
export type Side = "original" | "corrected";
export type Overlay = "difference" | "metal" | "near" | "error";
export type RoiTool = "rectangle" | "ellipse" | "line";
export type Tool = "navigate" | "window" | "pan" | "zoom" | "brush" | "erase" | RoiTool;

export interface ViewState {
  series: string | null;
  /** The result on the right-hand side. */
  result: string | null;
  /** The crosshair, in voxel indices. */
  cross: Triple;
  /** The voxel in the middle of every picture, and how much larger than fitting it is shown. */
  center: Triple;
  zoom: number;
  window: Window;
  layout: Layout;
  plane: PlaneChoice;
  /** Where the curtain hangs, as a share of the width. */
  curtain: number;
  blink: Side;
  overlays: Record<Overlay, boolean>;
  /** HU of change at the ends of the difference's scale. */
  differenceLimit: number;
  tool: Tool;
  crosshair: boolean;
  smooth: boolean;
  /** Of the brush, in voxels. */
  brushRadius: number;
  /** What the pointer is over, in voxel indices; null when it is over no picture. */
  pointer: Triple | null;
}

export type Listener = (changed: ReadonlySet<keyof ViewState>) => void;

export class View {
  readonly state: ViewState = {
    series: null,
    result: null,
    cross: [0, 0, 0],
    center: [0, 0, 0],
    zoom: 1,
    window: { width: 400, level: 40 },
    layout: "side",
    plane: "axial",
    curtain: 0.5,
    blink: "original",
    overlays: { difference: false, metal: true, near: false, error: false },
    differenceLimit: 300,
    tool: "navigate",
    crosshair: true,
    smooth: true,
    brushRadius: 4,
    pointer: null,
  };
  private readonly listeners: Listener[] = [];

  watch(listener: Listener): void {
    this.listeners.push(listener);
  }

  update(changes: Partial<ViewState>): void {
    Object.assign(this.state, changes);
    const changed = new Set(Object.keys(changes) as (keyof ViewState)[]);
    for (const listener of this.listeners) listener(changed);
  }

  toggle(overlay: Overlay): void {
    const overlays = { ...this.state.overlays };
    overlays[overlay] = !overlays[overlay];
    // Two maps of colour on one picture could not be told apart.
    if (overlay === "difference" && overlays.difference) overlays.error = false;
    if (overlay === "error" && overlays.error) overlays.difference = false;
    this.update({ overlays });
  }
}
