/** Which series and which result are looked at, as they come and go. */
import type { MaskEditor } from "./mask_editor";
import type { Navigation } from "./navigation";
import type { Rois } from "./rois";
import type { Scene } from "./scene";
import type { Server } from "./server_state";
import type { View } from "./view_state";

const SOFT = { width: 400, level: 40 };

export class Selection {
  /** A series that was just uploaded, to be shown when the server tells of it. */
  wanted: string | null = null;
  private known = new Set<string>();
  /** Whether the view was set to the volume: its size is known only when it begins to arrive. */
  private settled = false;

  constructor(
    private readonly server: Server,
    private readonly scene: Scene,
    private readonly view: View,
    private readonly navigation: Navigation,
    private readonly rois: Rois,
    private readonly editor: MaskEditor,
  ) {}

  /** The server's state has changed. */
  update(): void {
    const { series } = this.server.state;
    if (this.wanted !== null && this.server.series(this.wanted) !== null) {
      this.openSeries(this.wanted);
      this.wanted = null;
    } else if (this.server.series(this.view.state.series) === null) {
      this.openSeries(series[0]?.id ?? null);
    }
    this.followResults();
  }

  openSeries(id: string | null): void {
    if (id === this.view.state.series) return;
    const series = this.server.series(id);
    this.navigation.moved = false;
    this.editor.stop();
    this.rois.clear();
    this.scene.openSeries(series);
    // Not before: each of these may draw, and would settle the view to the volume that goes.
    this.settled = false;
    const window = series?.window ?? SOFT;
    const slices = series?.shape[0] ?? 1;
    const middle = Math.floor(slices / 2);
    this.view.update({ series: id, result: null, window, cross: [0, 0, middle], pointer: null, zoom: 1 });
    if (series !== null) this.scene.showPreview(middle, window.width, window.level);
    this.known = new Set();
    const results = this.server.resultsOf(id);
    if (results.length > 0) this.openResult(results[results.length - 1].id);
  }

  openResult(id: string | null): void {
    const result = this.server.result(id);
    this.scene.openResult(result);
    if (this.view.state.result !== id) this.view.update({ result: id });
    // Until the reader has chosen a slice, a result shows the middle of its metal.
    const metal = result?.metal ?? [];
    const [i, j, k] = this.view.state.cross;
    if (!this.navigation.moved && metal.length > 0 && !metal.includes(k)) {
      this.view.update({ cross: [i, j, metal[Math.floor(metal.length / 2)]] });
    }
  }

  nextResult(): void {
    const ids = this.server.resultsOf(this.view.state.series).map((one) => one.id);
    if (ids.length === 0) return;
    const place = ids.indexOf(this.view.state.result ?? "");
    this.openResult(ids[(place + 1) % ids.length]);
  }

  /** Set the view to the volume, once its size is known. */
  settle(): void {
    if (this.settled || this.scene.original === null) return;
    this.settled = true;
    const { dims } = this.scene.original;
    const [, , k] = this.view.state.cross;
    this.view.update({ cross: [Math.floor(dims[0] / 2), Math.floor(dims[1] / 2), k] });
    this.navigation.fit();
  }

  /** A new result is shown; one that went makes room for the last that is left. */
  private followResults(): void {
    const results = this.server.resultsOf(this.view.state.series);
    const fresh = results.filter((one) => !this.known.has(one.id));
    const first = this.known.size === 0 && this.view.state.result !== null;
    const changed = fresh.length > 0 || this.known.size !== results.length;
    this.known = new Set(results.map((one) => one.id));
    if (fresh.length > 0 && !first) this.openResult(fresh[fresh.length - 1].id);
    else if (this.server.result(this.view.state.result) === null) {
      const last = results.length > 0 ? results[results.length - 1].id : null;
      if (last !== this.view.state.result) this.openResult(last);
    }
    if (changed) this.rois.measureAll([...this.known]);
  }
}
