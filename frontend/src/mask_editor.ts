/** The metal mask as the reader paints it: brush, eraser, undo. */
import type { Result } from "./api";
import type { PlaneView } from "./planes";
import type { Triple, Volume } from "./volume";

const UNDO_STEPS = 50;

/** What a stroke changed: places in the mask and what was there. */
interface Stroke {
  places: number[];
  before: number[];
}

export class MaskEditor {
  mask: Uint8Array<ArrayBuffer> | null = null;
  /** Grows with every change, for what was painted from an older one. */
  version = 0;
  /** Title of the result whose metal it began with; null: it began empty. */
  origin: string | null = null;
  private like: Volume | null = null;
  private strokes: Stroke[] = [];
  private stroke: Stroke | null = null;

  constructor(private readonly onChange: () => void) {}

  /** Begin with the metal that was corrected in a result, or with nothing. */
  start(like: Volume, metal: Volume | null, result: Result | null): void {
    this.like = like;
    this.mask = new Uint8Array(like.data.length);
    if (metal !== null) for (let at = 0; at < metal.data.length; at++) if (metal.data[at] === 1) this.mask[at] = 1;
    this.origin = metal === null ? null : (result?.title ?? null);
    this.strokes = [];
    this.changed();
  }

  stop(): void {
    this.mask = null;
    this.like = null;
    this.strokes = [];
    this.stroke = null;
    this.changed();
  }

  beginStroke(): void {
    this.stroke = { places: [], before: [] };
  }

  endStroke(): void {
    if (this.stroke !== null && this.stroke.places.length > 0) {
      this.strokes.push(this.stroke);
      if (this.strokes.length > UNDO_STEPS) this.strokes.shift();
    }
    this.stroke = null;
    this.onChange();
  }

  /** A disc of `radius` voxels around a point, in the plane of a view. */
  dab(point: Triple, view: PlaneView, radius: number, value: 0 | 1): void {
    if (this.mask === null || this.like === null) return;
    const { dims, strides } = this.like;
    const base = Math.round(point[view.through]) * strides[view.through];
    const [x, y] = [point[view.across], point[view.down]];
    const reach = radius - 0.5;
    for (let row = Math.max(0, Math.ceil(y - reach)); row <= Math.min(dims[view.down] - 1, y + reach); row++) {
      for (let column = Math.max(0, Math.ceil(x - reach)); column <= Math.min(dims[view.across] - 1, x + reach); column++) {
        if ((row - y) ** 2 + (column - x) ** 2 > reach * reach + 0.01) continue;
        this.put(base + row * strides[view.down] + column * strides[view.across], value);
      }
    }
    this.changed();
  }

  /** Dabs along a straight way, so that a quick hand leaves no gaps. */
  drag(from: Triple, to: Triple, view: PlaneView, radius: number, value: 0 | 1): void {
    const steps = Math.max(1, Math.ceil(Math.hypot(...from.map((start, axis) => to[axis] - start))));
    for (let step = 1; step <= steps; step++) {
      const point = from.map((start, axis) => start + ((to[axis] - start) * step) / steps) as Triple;
      this.dab(point, view, radius, value);
    }
  }

  get canUndo(): boolean {
    return this.strokes.length > 0;
  }

  undo(): void {
    const stroke = this.strokes.pop();
    if (stroke === undefined || this.mask === null) return;
    for (let step = stroke.places.length - 1; step >= 0; step--) {
      this.mask[stroke.places[step]] = stroke.before[step];
    }
    this.changed();
  }

  private put(place: number, value: 0 | 1): void {
    if (this.mask === null || this.mask[place] === value) return;
    this.stroke?.places.push(place);
    this.stroke?.before.push(this.mask[place]);
    this.mask[place] = value;
  }

  private changed(): void {
    this.version++;
    this.onChange();
  }
}
