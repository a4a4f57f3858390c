/** Regions of interest: drawn here, measured by the server from the stored HU. */
import { messageOf, post, type Measurement } from "./api";
import type { Plane, PlaneView } from "./planes";
import type { Scene } from "./scene";
import type { RoiTool } from "./view_state";
import type { Triple } from "./volume";

export interface Roi {
  number: number;
  shape: RoiTool;
  plane: Plane;
  index: number;
  /** Voxel indices of two corners or ends, in the order of axes in which the server names them. */
  from: [number, number];
  to: [number, number];
  chosen: boolean;
  measured: Measurement | null;
  error: string | null;
}

/** The voxel axes of a plane in the server's order: the two that are not `index`. */
const AXES: Record<Plane, [number, number, number]> = {
  axial: [0, 1, 2],
  coronal: [0, 2, 1],
  sagittal: [1, 2, 0],
};

export function cornersOf(roi: Roi): [Triple, Triple] {
  const [first, second, through] = AXES[roi.plane];
  const corner = (values: [number, number]): Triple => {
    const point: Triple = [0, 0, 0];
    point[first] = values[0];
    point[second] = values[1];
    point[through] = roi.index;
    return point;
  };
  return [corner(roi.from), corner(roi.to)];
}

export class Rois {
  readonly list: Roi[] = [];
  private count = 0;

  constructor(
    private readonly scene: Scene,
    private readonly onChange: () => void,
  ) {}

  clear(): void {
    this.list.length = 0;
    this.count = 0;
    this.onChange();
  }

  begin(shape: RoiTool, view: PlaneView, at: Triple): Roi {
    for (const one of this.list) one.chosen = false;
    const { plane } = view;
    const index = Math.round(at[AXES[plane][2]]);
    const roi: Roi = {
      number: ++this.count, shape, plane, index, from: [0, 0], to: [0, 0],
      chosen: true, measured: null, error: null,
    };
    roi.from = planar(plane, at);
    roi.to = planar(plane, at);
    this.list.push(roi);
    return roi;
  }

  stretch(roi: Roi, to: Triple): void {
    roi.to = planar(roi.plane, to);
    this.onChange();
  }

  /** Measure what was drawn; a click that drew nothing is dropped. */
  finish(roi: Roi, results: string[]): void {
    const size = Math.hypot(roi.to[0] - roi.from[0], roi.to[1] - roi.from[1]);
    if (size < 0.5) {
      this.remove(roi);
      this.count--;
      return;
    }
    void this.measure(roi, results);
  }

  remove(roi: Roi): void {
    const place = this.list.indexOf(roi);
    if (place >= 0) this.list.splice(place, 1);
    this.onChange();
  }

  choose(roi: Roi): void {
    for (const one of this.list) one.chosen = one === roi;
    this.onChange();
  }

  /** Results came or went: what is on the list is measured on all of them. */
  measureAll(results: string[]): void {
    for (const roi of this.list) void this.measure(roi, results);
  }

  private async measure(roi: Roi, results: string[]): Promise<void> {
    const { series } = this.scene;
    if (series === null) return;
    const { shape, plane, index, from, to } = roi;
    const body = { shape, plane, index, from, to, results };
    try {
      roi.measured = await post<Measurement>(`api/series/${series.id}/measure`, body);
      roi.error = null;
    } catch (error) {
      roi.error = messageOf(error);
    }
    this.onChange();
  }
}

function planar(plane: Plane, point: Triple): [number, number] {
  const [first, second] = AXES[plane];
  return [point[first], point[second]];
}
