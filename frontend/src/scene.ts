/** The volumes of the series and the result that are looked at. */
import type { Result, Series } from "./api";
import { fetchVolume } from "./nifti";
import { planeViews, spacingOf, type Plane, type PlaneView } from "./planes";
import type { Triple, Volume } from "./volume";

/** Corrected volumes kept in memory; the oldest goes first. */
const KEPT_RESULTS = 3;

export type Part = "corrected" | "metal" | "near_metal" | "error";

interface Loading {
  volume: Volume | null;
  failed: string | null;
  abort: AbortController;
}

export class Scene {
  series: Series | null = null;
  result: Result | null = null;
  views: Record<Plane, PlaneView> | null = null;
  spacing: Triple = [1, 1, 1];
  /** A slice as the server drew it, until its voxels are there. */
  preview: { slice: number; image: HTMLImageElement } | null = null;
  private readonly parts = new Map<string, Loading>();

  /** `onChange` is called whenever more can be drawn, `onError` with what went wrong. */
  constructor(
    private readonly onChange: () => void,
    private readonly onError: (message: string) => void,
  ) {}

  openSeries(series: Series | null): void {
    for (const part of this.parts.values()) part.abort.abort();
    this.parts.clear();
    this.series = series;
    this.result = null;
    this.views = null;
    this.preview = null;
    this.onError("");
    if (series !== null) this.load(`api/series/${series.id}/original.nii`);
  }

  openResult(result: Result | null): void {
    this.result = result;
    this.onError("");
    if (result === null) return;
    this.load(address(result.id, "corrected"));
    this.load(address(result.id, "metal"));
    this.forgetOldResults(result.id);
  }

  showPreview(slice: number, width: number, level: number): void {
    if (this.series === null) return;
    const image = new Image();
    const { id } = this.series;
    image.onload = () => {
      if (this.series?.id !== id) return;
      this.preview = { slice, image };
      this.onChange();
    };
    image.src = `api/series/${id}/slice.png?k=${slice}&width=${width}&level=${level}`;
  }

  get original(): Volume | null {
    if (this.series === null) return null;
    return this.parts.get(`api/series/${this.series.id}/original.nii`)?.volume ?? null;
  }

  /** A volume of the result that is looked at. What was not yet asked for is fetched now. */
  part(name: Part): Volume | null {
    if (this.result === null || (name === "error" && !this.result.has_error)) return null;
    return this.load(address(this.result.id, name)).volume;
  }

  private load(url: string): Loading {
    const known = this.parts.get(url);
    if (known !== undefined) return known;
    const loading: Loading = { volume: null, failed: null, abort: new AbortController() };
    this.parts.set(url, loading);
    const arrived = (volume: Volume): void => {
      loading.volume = volume;
      if (this.views === null && this.series !== null && url.includes("original")) {
        this.views = planeViews(volume, this.series.oriented);
        this.spacing = spacingOf(volume);
      }
      this.onChange();
    };
    fetchVolume(url, arrived, loading.abort.signal).catch((error: unknown) => {
      if (loading.abort.signal.aborted) return;
      loading.failed = error instanceof Error ? error.message : String(error);
      this.onError(loading.failed);
    });
    return loading;
  }

  private forgetOldResults(current: string): void {
    const ids = [...new Set([...this.parts.keys()].filter(isOfResult).map(idOf))];
    for (const id of ids.filter((one) => one !== current).slice(0, -(KEPT_RESULTS - 1))) {
      for (const url of [...this.parts.keys()].filter((one) => isOfResult(one) && idOf(one) === id)) {
        this.parts.get(url)?.abort.abort();
        this.parts.delete(url);
      }
    }
  }
}

function address(result: string, part: Part): string {
  return `api/results/${result}/${part}.nii`;
}

function isOfResult(url: string): boolean {
  return url.startsWith("api/results/");
}

function idOf(url: string): string {
  return url.split("/")[2];
}
