/** Painted slices, kept until what they show changes: one for each side and plane. */
import { DO_NOT_TRUST } from "./color_maps";
import type { MaskEditor } from "./mask_editor";
import { outline } from "./outline";
import type { Plane, PlaneView } from "./planes";
import type { Scene } from "./scene";
import { paintDifference, paintError, paintGrey, paintMask, walk, type Walk } from "./slice_pixels";
import type { Side, View } from "./view_state";
import type { Volume } from "./volume";
import { Grey } from "./window_levels";

const NEAR_METAL: [number, number, number, number] = [186, 104, 255, 0.3];
const DRAWN_METAL: [number, number, number, number] = [0, 229, 160, 0.45];

interface Painted {
  key: string;
  canvas: HTMLCanvasElement;
}

export interface Outlines {
  corrected: Path2D | null;
  leftAlone: Path2D | null;
  near: Path2D | null;
  doubtful: Path2D | null;
}

export class Pictures {
  private readonly grey = new Grey();
  private readonly painted = new Map<string, Painted>();
  private readonly outlined = new Map<Plane, { key: string; outlines: Outlines }>();
  /** Volumes by number, for keys. */
  private readonly numbers = new WeakMap<Volume, number>();
  private count = 0;

  constructor(
    private readonly scene: Scene,
    private readonly view: View,
    private readonly editor: MaskEditor,
  ) {}

  /** The slice of a plane at the crosshair; null where its voxels are not there yet. */
  slice(side: Side, plane: PlaneView): HTMLCanvasElement | null {
    const volume = side === "original" ? this.scene.original : this.scene.part("corrected");
    const { state } = this.view;
    const index = state.cross[plane.through];
    if (volume === null || !arrived(volume, plane, index)) return null;
    const key = this.keyOf(side, plane, index, volume);
    const slot = `${side} ${plane.plane}`;
    const known = this.painted.get(slot);
    if (known?.key === key) return known.canvas;
    const steps = walk(volume, plane, index);
    const canvas = sized(known?.canvas, steps);
    // Read back and written by the CPU: a canvas in the GPU would be copied twice a frame.
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (context === null) return null;
    const image = new ImageData(steps.width, steps.height);
    this.paint(new Uint32Array(image.data.buffer), volume, steps, side);
    context.putImageData(image, 0, 0);
    this.painted.set(slot, { key, canvas });
    return canvas;
  }

  /** Lines around metal and zones in a plane at the crosshair. */
  outlines(plane: PlaneView): Outlines {
    const { state } = this.view;
    const index = state.cross[plane.through];
    const { metal, near, error } = state.overlays;
    const shown = [
      metal ? this.scene.part("metal") : null,
      near ? this.scene.part("near_metal") : null,
      error ? this.scene.part("error") : null,
    ].map((volume) => (volume !== null && arrived(volume, plane, index) ? volume : null));
    const key = [index, ...shown.map((volume) => this.number(volume))].join();
    const known = this.outlined.get(plane.plane);
    if (known?.key === key) return known.outlines;
    const [found, zone, expected] = shown;
    const around = (volume: Volume | null, low: number, high: number): Path2D | null =>
      volume === null ? null : outline(volume.data, walk(volume, plane, index), low, high);
    const outlines = {
      corrected: around(found, 1, 1),
      leftAlone: around(found, 2, 2),
      near: around(zone, 1, 1),
      doubtful: around(expected, DO_NOT_TRUST, Infinity),
    };
    this.outlined.set(plane.plane, { key, outlines });
    return outlines;
  }

  private paint(pixels: Uint32Array, volume: Volume, steps: Walk, side: Side): void {
    const { overlays, window, differenceLimit } = this.view.state;
    this.grey.set(window);
    paintGrey(pixels, volume, steps, this.grey);
    const { original } = this.scene;
    const corrected = this.scene.part("corrected");
    if (side === "corrected" && corrected !== null && original !== null) {
      if (overlays.difference) paintDifference(pixels, original, corrected, steps, differenceLimit);
      const error = overlays.error ? this.scene.part("error") : null;
      if (error !== null) paintError(pixels, error, steps);
      const near = overlays.near ? this.scene.part("near_metal") : null;
      if (near?.data instanceof Uint8Array) paintMask(pixels, near.data, steps, NEAR_METAL);
    }
    if (this.editor.mask !== null) paintMask(pixels, this.editor.mask, steps, DRAWN_METAL);
  }

  private keyOf(side: Side, plane: PlaneView, index: number, volume: Volume): string {
    const { state } = this.view;
    const { overlays, window } = state;
    const key: (string | number)[] = [this.number(volume), index, window.width, window.level];
    key.push(this.editor.version);
    if (side === "corrected") {
      // Zones still arriving are painted again when they have grown.
      const zones = [
        overlays.near ? this.scene.part("near_metal") : null,
        overlays.error ? this.scene.part("error") : null,
      ];
      key.push(overlays.difference ? state.differenceLimit : 0);
      for (const zone of zones) key.push(this.number(zone), zone?.loaded ?? 0);
    }
    // Planes across the slices grow while slices arrive.
    if (plane.through !== 2) key.push(volume.loaded);
    return key.join();
  }

  private number(volume: Volume | null): number {
    if (volume === null) return 0;
    let number = this.numbers.get(volume);
    if (number === undefined) {
      number = ++this.count;
      this.numbers.set(volume, number);
    }
    return number;
  }
}

/** Planes along the slices need theirs; planes across them are drawn as far as they are there. */
function arrived(volume: Volume, plane: PlaneView, index: number): boolean {
  return plane.through !== 2 || index < volume.loaded;
}

function sized(canvas: HTMLCanvasElement | undefined, steps: Walk): HTMLCanvasElement {
  const fitting = canvas ?? document.createElement("canvas");
  if (fitting.width !== steps.width) fitting.width = steps.width;
  if (fitting.height !== steps.height) fitting.height = steps.height;
  return fitting;
}
