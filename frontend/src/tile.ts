/** One picture on the screen: a plane of one side, or of both with a curtain, and what lies on it. */
import { el } from "./dom";
import type { Pictures } from "./pictures";
import type { Plane, PlaneView } from "./planes";
import { drawCrosshair, drawOutlines, drawRois } from "./tile_lines";
import type { Scene } from "./scene";
import type { Roi } from "./rois";
import type { Side, View } from "./view_state";
import type { Triple } from "./volume";

export type Content = Side | "curtain" | "blink";

/** Device pixels for each of the page's, at most: beyond, painting costs more than it shows. */
const MOST_PIXELS = 2;

export class Tile {
  readonly element: HTMLElement;
  readonly canvas = el("canvas");
  private readonly titles = {
    original: el("div", { class: "tile-title original" }, "Original"),
    corrected: el("div", { class: "tile-title corrected" }),
  };
  private readonly letters = {
    left: el("div", { class: "letter left" }),
    right: el("div", { class: "letter right" }),
    top: el("div", { class: "letter top" }),
    bottom: el("div", { class: "letter bottom" }),
  };
  private readonly place = el("div", { class: "tile-place" });
  private readonly empty = el("div", { class: "tile-empty" });
  private width = 1;
  private height = 1;

  constructor(
    readonly content: Content,
    readonly plane: Plane,
    private readonly scene: Scene,
    private readonly view: View,
    private readonly pictures: Pictures,
  ) {
    const labels = [...Object.values(this.titles), ...Object.values(this.letters)];
    this.element = el("div", { class: `tile ${plane} ${content}` }, this.canvas, ...labels, this.place, this.empty);
  }

  /** Take the size that the page gives; true where it has changed. */
  measure(): void {
    const ratio = Math.min(MOST_PIXELS, window.devicePixelRatio);
    this.width = Math.max(1, this.element.clientWidth);
    this.height = Math.max(1, this.element.clientHeight);
    const [width, height] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
  }

  get planeView(): PlaneView | null {
    return this.scene.views?.[this.plane] ?? null;
  }

  draw(rois: readonly Roi[]): void {
    // Drawn by the CPU: without a graphics card, one that is simulated would be slower still.
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    if (context === null) return;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    const plane = this.planeView;
    this.label(plane);
    if (plane === null) {
      this.drawPreview(context);
      return;
    }
    for (const side of this.sides()) {
      context.save();
      this.clip(context, side);
      this.drawSide(context, side, plane);
      context.restore();
    }
    this.pixelsTransform(context, plane);
    const pixel = 1 / this.pixelSize(plane)[0];
    drawOutlines(context, this.pictures.outlines(plane), pixel);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.scale(this.canvas.width / this.width, this.canvas.height / this.height);
    const toScreen = (point: Triple): [number, number] => this.toScreen(point, plane);
    drawRois(context, rois, plane, this.view.state.cross[plane.through], toScreen);
    if (this.view.state.crosshair) drawCrosshair(context, this.toScreen(this.view.state.cross, plane), this.width, this.height);
    if (this.content === "curtain") this.drawCurtain(context);
  }

  /** The voxel indices under a point of the picture, inside the volume or not. */
  toVoxel(x: number, y: number): Triple | null {
    const plane = this.planeView;
    const volume = this.scene.original;
    if (plane === null || volume === null) return null;
    const [across, down] = this.pixelSize(plane);
    const [middleX, middleY] = this.middle(plane, volume.dims);
    const column = (x - this.width / 2) / across + middleX - 0.5;
    const row = (y - this.height / 2) / down + middleY - 0.5;
    const point: Triple = [...this.view.state.cross];
    point[plane.across] = plane.flipAcross ? volume.dims[plane.across] - 1 - column : column;
    point[plane.down] = plane.flipDown ? volume.dims[plane.down] - 1 - row : row;
    return point;
  }

  toScreen(point: Triple, plane: PlaneView): [number, number] {
    const dims = this.scene.original?.dims ?? [1, 1, 1];
    const [across, down] = this.pixelSize(plane);
    const [middleX, middleY] = this.middle(plane, dims);
    const column = plane.flipAcross ? dims[plane.across] - 1 - point[plane.across] : point[plane.across];
    const row = plane.flipDown ? dims[plane.down] - 1 - point[plane.down] : point[plane.down];
    const x = this.width / 2 + (column + 0.5 - middleX) * across;
    const y = this.height / 2 + (row + 0.5 - middleY) * down;
    return [x, y];
  }

  /** Points of the screen for each voxel across and down. */
  pixelSize(plane: PlaneView): [number, number] {
    const dims = this.scene.original?.dims ?? [1, 1, 1];
    const { spacing } = this.scene;
    const [across, down] = [spacing[plane.across], spacing[plane.down]];
    const fit = Math.min(this.width / (dims[plane.across] * across), this.height / (dims[plane.down] * down));
    const scale = fit * this.view.state.zoom;
    return [across * scale, down * scale];
  }

  /** What of the two sides is drawn, the upper one last. */
  private sides(): Side[] {
    if (this.content === "curtain") return ["corrected", "original"];
    if (this.content === "blink") return [this.view.state.blink];
    return [this.content];
  }

  private clip(context: CanvasRenderingContext2D, side: Side): void {
    if (this.content !== "curtain") return;
    const edge = Math.round(this.view.state.curtain * this.canvas.width);
    context.beginPath();
    if (side === "original") context.rect(0, 0, edge, this.canvas.height);
    else context.rect(edge, 0, this.canvas.width - edge, this.canvas.height);
    context.clip();
  }

  private drawSide(context: CanvasRenderingContext2D, side: Side, plane: PlaneView): void {
    const picture = this.pictures.slice(side, plane);
    if (picture === null) {
      if (side === "original") this.drawPreview(context);
      return;
    }
    this.pixelsTransform(context, plane);
    context.imageSmoothingEnabled = this.view.state.smooth;
    context.drawImage(picture, 0, 0);
  }

  /** From pixels of the slice, from the corner of the first one, to the canvas. */
  private pixelsTransform(context: CanvasRenderingContext2D, plane: PlaneView): void {
    const dims = this.scene.original?.dims ?? [1, 1, 1];
    const ratio = this.canvas.width / this.width;
    const [across, down] = this.pixelSize(plane);
    const [middleX, middleY] = this.middle(plane, dims);
    const left = this.width / 2 - middleX * across;
    const top = this.height / 2 - middleY * down;
    context.setTransform(ratio * across, 0, 0, ratio * down, ratio * left, ratio * top);
  }

  /** The pixel of the slice, from the corner of the first one, that lies in the tile's middle. */
  private middle(plane: PlaneView, dims: Triple): [number, number] {
    const { center } = this.view.state;
    const x = plane.flipAcross ? dims[plane.across] - 1 - center[plane.across] : center[plane.across];
    const y = plane.flipDown ? dims[plane.down] - 1 - center[plane.down] : center[plane.down];
    return [x + 0.5, y + 0.5];
  }

  /** The server's picture of the first slice shown, as large as it will be. */
  private drawPreview(context: CanvasRenderingContext2D): void {
    const { preview, series, original } = this.scene;
    if (preview === null || series === null || this.plane !== "axial" || this.content === "corrected") return;
    const plane = this.planeView;
    if (plane !== null && (plane.across !== 0 || preview.slice !== this.view.state.cross[2])) return;
    if (original !== null && preview.slice < original.loaded) return;
    const { naturalWidth, naturalHeight } = preview.image;
    const [, down, across] = series.spacing;
    const fit = Math.min(this.canvas.width / (naturalWidth * across), this.canvas.height / (naturalHeight * down));
    const [width, height] = [naturalWidth * across * fit, naturalHeight * down * fit];
    context.setTransform(1, 0, 0, 1, this.canvas.width / 2, this.canvas.height / 2);
    context.scale(plane?.flipAcross === true ? -1 : 1, plane?.flipDown === true ? -1 : 1);
    context.drawImage(preview.image, -width / 2, -height / 2, width, height);
  }

  private drawCurtain(context: CanvasRenderingContext2D): void {
    const x = this.view.state.curtain * this.width;
    context.fillStyle = "#ffcc00";
    context.fillRect(x - 1, 0, 2, this.height);
    context.beginPath();
    context.arc(x, this.height * 0.8, 11, 0, 2 * Math.PI);
    context.fill();
    context.fillStyle = "#000";
    context.font = "bold 13px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText("\u2194", x, this.height * 0.8);
  }

  private label(plane: PlaneView | null): void {
    const result = this.scene.result?.title ?? null;
    const { corrected, original } = this.titles;
    const shown = this.sides();
    original.hidden = !shown.includes("original");
    corrected.hidden = !shown.includes("corrected");
    setText(corrected, result === null ? "Corrected" : `Corrected: ${result}`);
    const letters = plane?.letters ?? null;
    for (const [edge, element] of Object.entries(this.letters)) {
      setText(element, letters === null ? "" : letters[edge as keyof typeof letters]);
    }
    const missing = result === null && shown.includes("corrected");
    const waiting = result !== null && shown.includes("corrected") && this.scene.part("corrected") === null;
    setText(this.empty, missing ? NOTHING_YET : waiting ? "Loading the corrected images" : "");
    this.empty.hidden = !missing && !waiting;
    if (plane === null) return;
    const index = this.view.state.cross[plane.through];
    const count = this.scene.original?.dims[plane.through] ?? 0;
    setText(this.place, `${plane.name} ${index + 1} / ${count}`);
  }
}

const NOTHING_YET = "No corrected series yet. Choose a method on the right and press Correct.";

/** Only what differs touches the page: this runs for every picture while scrolling. */
function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
