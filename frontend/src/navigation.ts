/** Moving through the volume: slices, zoom, pan, crosshair. What the pointer and the keys share. */
import type { PlaneView } from "./planes";
import type { Scene } from "./scene";
import type { View } from "./view_state";
import type { Triple } from "./volume";

export class Navigation {
  /** Whether the reader has chosen a slice; until then a new result may show its metal. */
  moved = false;

  constructor(
    private readonly scene: Scene,
    private readonly view: View,
  ) {}

  /** The plane that keys and the slider move through: the one that is shown alone, else axial. */
  get mainPlane(): PlaneView | null {
    const { plane } = this.view.state;
    return this.scene.views?.[plane === "multi" ? "axial" : plane] ?? null;
  }

  get sliceCount(): number {
    const plane = this.mainPlane;
    return plane === null ? 1 : (this.scene.original?.dims[plane.through] ?? 1);
  }

  scroll(steps: number, plane: PlaneView | null = this.mainPlane): void {
    if (plane !== null) this.goTo(this.view.state.cross[plane.through] + steps, plane);
  }

  goTo(index: number, plane: PlaneView | null = this.mainPlane): void {
    if (plane === null) return;
    const cross: Triple = [...this.view.state.cross];
    cross[plane.through] = index;
    this.moved = true;
    this.moveCross(cross);
  }

  /** The crosshair, kept inside the volume. The middle of the pictures follows through slices. */
  moveCross(point: Triple): void {
    const dims = this.scene.original?.dims;
    if (dims === undefined) return;
    const cross = point.map((value, axis) => Math.min(dims[axis] - 1, Math.max(0, Math.round(value)))) as Triple;
    this.view.update({ cross });
  }

  /** Shift the crosshair by voxels of the screen's directions. */
  nudge(right: number, down: number): void {
    const plane = this.mainPlane;
    if (plane === null) return;
    const cross: Triple = [...this.view.state.cross];
    cross[plane.across] += plane.flipAcross ? -right : right;
    cross[plane.down] += plane.flipDown ? -down : down;
    this.moveCross(cross);
  }

  /** Zoom by a factor; the voxel `about` stays where it is on the screen. */
  zoomBy(factor: number, about: Triple | null = null): void {
    const { zoom, center } = this.view.state;
    const next = Math.min(40, Math.max(0.5, zoom * factor));
    const kept = about ?? center;
    const moved = center.map((middle, axis) => kept[axis] + ((middle - kept[axis]) * zoom) / next);
    this.view.update({ zoom: next, center: moved as Triple });
  }

  /** Move the pictures by voxels, against the direction in which the reader looks. */
  panBy(from: Triple, to: Triple): void {
    const center = this.view.state.center.map((middle, axis) => middle + from[axis] - to[axis]);
    this.view.update({ center: center as Triple });
  }

  fit(): void {
    const dims = this.scene.original?.dims;
    if (dims === undefined) return;
    this.view.update({ zoom: 1, center: dims.map((size) => (size - 1) / 2) as Triple });
  }

  /** The next slice with corrected metal after the present one, from the first after the last. */
  nextMetal(): void {
    const metal = this.scene.result?.metal ?? [];
    const plane = this.scene.views?.axial ?? null;
    if (metal.length === 0 || plane === null) return;
    const here = this.view.state.cross[2];
    this.goTo(metal.find((slice) => slice > here) ?? metal[0], plane);
  }
}
