/** What the server says and is asked. Every address is relative: the page lies under the secret path. */

export interface Window {
  width: number;
  level: number;
}

export interface Method {
  name: string;
  title: string;
  line: string;
  default: boolean;
}

export interface Series {
  id: string;
  title: string;
  description: string;
  /** slices, rows, columns */
  shape: [number, number, number];
  /** mm between slices, rows, columns */
  spacing: [number, number, number];
  spacing_known: boolean;
  /** False for formats that do not say how the patient lies: no letters then. */
  oriented: boolean;
  window: Window | null;
  warnings: string[];
  made_by_unmetal: boolean;
  /** Whether all slices are read; and why not, where that failed. */
  ready: boolean;
  error: string | null;
}

export type JobStatus = "waiting" | "running" | "done" | "failed" | "cancelled";

export interface Job {
  id: string;
  series: string;
  method: string;
  status: JobStatus;
  done: number;
  total: number | null;
  seconds: number;
  error: string | null;
  result: string | null;
}

export interface Caution {
  key: string;
  level: string;
  message: string;
}

/** What was decided of one piece of metal. */
export interface Decision {
  sentence: string;
  corrected: boolean;
  /** First and last slice, from 0. */
  slices: [number, number];
}

export interface Result {
  id: string;
  series: string;
  method: string;
  title: string;
  changed: number[];
  metal: number[];
  has_error: boolean;
  warnings: Caution[];
  objects: Decision[];
  seconds: number;
  exports: string[];
}

export interface LeftOut {
  what: string;
  why: string;
}

export interface ServerState {
  version: string;
  methods: Method[];
  series: Series[];
  jobs: Job[];
  results: Result[];
  /** What of the opened paths is no CT series. */
  left_out: LeftOut[];
  /** Paths and uploads that are being read. */
  opening: number;
  upload_limit_bytes: number;
  destinations: boolean;
}

export interface Statistics {
  mean: number;
  sd: number;
  min: number;
  max: number;
}

export interface Measurement {
  pixels: number;
  area_mm2: number;
  length_mm?: number;
  original: Statistics;
  results: Record<string, { corrected: Statistics; difference: Statistics }>;
  /** mm along the line; HU of the original and of each result by its id. */
  profile?: Record<string, number[]>;
}

/** The refusal of the server, in its own words. */
export class ServerError extends Error {}

async function answer(response: Response): Promise<unknown> {
  if (response.status === 204) return null;
  if (response.ok) return response.json();
  const text = await response.text();
  throw new ServerError(refusal(text) ?? `the server answered ${response.status}`);
}

function refusal(text: string): string | null {
  try {
    const said: unknown = JSON.parse(text);
    if (typeof said === "object" && said !== null && "error" in said) return String(said.error);
  } catch {
    // No JSON: an answer of something that is not our server.
  }
  return null;
}

async function ask<T>(address: string, init: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(address, init);
  } catch {
    throw new ServerError("the server does not answer: is `unmetal view` still running?");
  }
  return (await answer(response)) as T;
}

export function get<T>(address: string): Promise<T> {
  return ask<T>(address, {});
}

export function post<T>(address: string, body: unknown = {}): Promise<T> {
  const headers = { "Content-Type": "application/json" };
  return ask<T>(address, { method: "POST", headers, body: JSON.stringify(body) });
}

export function put<T>(address: string, body: BodyInit): Promise<T> {
  const headers = { "Content-Type": "application/octet-stream" };
  return ask<T>(address, { method: "PUT", headers, body });
}

export function remove(address: string): Promise<unknown> {
  return ask<unknown>(address, { method: "DELETE" });
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
