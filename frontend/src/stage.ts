/** The pictures on the page: which tiles there are, and when they are drawn. */
import { el } from "./dom";
import type { Pictures } from "./pictures";
import { PLANES, type Plane } from "./planes";
import type { Rois } from "./rois";
import type { Scene } from "./scene";
import { Tile, type Content } from "./tile";
import type { View } from "./view_state";

export class Stage {
  tiles: Tile[] = [];
  private waiting = false;
  /** Pictures drawn so far, and ms that the last one took: read by the benchmark. */
  readonly drawn = { frames: 0, last: 0 };

  constructor(
    readonly element: HTMLElement,
    private readonly scene: Scene,
    private readonly view: View,
    private readonly pictures: Pictures,
    private readonly rois: Rois,
  ) {
    new ResizeObserver(() => {
      this.resize();
    }).observe(element);
    view.watch((changed) => {
      if (changed.has("layout") || changed.has("plane")) this.arrange();
      // The pointer alone changes what the status line says, not the pictures.
      if (!(changed.size === 1 && changed.has("pointer"))) this.request();
    });
  }

  /** Draw once before the screen is next refreshed, however much has changed until then. */
  request(): void {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  arrange(): void {
    const { layout, plane } = this.view.state;
    const contents: Content[] = layout === "side" ? ["original", "corrected"] : [layout];
    const planes: readonly Plane[] = plane === "multi" ? PLANES : [plane];
    this.tiles = [];
    const groups = contents.map((content) => {
      const tiles = planes.map((one) => new Tile(content, one, this.scene, this.view, this.pictures));
      this.tiles.push(...tiles);
      return el("div", { class: plane === "multi" ? "side multi" : "side" }, ...tiles.map((tile) => tile.element));
    });
    this.element.replaceChildren(...groups);
    this.resize();
  }

  private resize(): void {
    for (const tile of this.tiles) tile.measure();
    this.request();
  }

  private draw(): void {
    const begun = performance.now();
    for (const tile of this.tiles) tile.draw(this.rois.list);
    this.drawn.frames++;
    this.drawn.last = performance.now() - begun;
  }
}
