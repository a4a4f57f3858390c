/** Buttons above the pictures. Each shows its key, and whether it is on. */
import { byId, el } from "../dom";
import type { Server } from "../server_state";
import type { Layout, Overlay, PlaneChoice, Tool, View } from "../view_state";
import { clampWindow, PRESETS, type Preset } from "../window_levels";

const LAYOUTS: [Layout, string, string][] = [["side", "Side by side", "L"], ["curtain", "Curtain", "U"], ["blink", "Blink", "Space"]];
const PLANES: [PlaneChoice, string, string][] = [["axial", "Axial", "A"], ["coronal", "Coronal", "C"], ["sagittal", "Sagittal", "S"], ["multi", "All three", "M"]];
const OVERLAYS: [Overlay, string, string][] = [["difference", "Difference", "D"], ["metal", "Metal", "O"], ["near", "Near metal", "N"], ["error", "Do not trust", "T"]];
const TOOLS: [Tool, string, string][] = [
  ["navigate", "Crosshair", "V"], ["window", "Window", "W"], ["pan", "Pan", "H"], ["zoom", "Zoom", "Z"],
  ["rectangle", "Rectangle", "R"], ["ellipse", "Ellipse", "E"], ["line", "Line", "I"], ["brush", "Brush", "B"], ["erase", "Eraser", "X"],
];

export interface Actions {
  layout: (layout: Layout) => void;
  tool: (tool: Tool) => void;
  preset: (preset: Preset) => void;
}

export class Toolbar {
  private readonly presets: HTMLElement;
  private readonly width = field("window-width", "W");
  private readonly level = field("window-level", "L");

  constructor(
    private readonly server: Server,
    private readonly view: View,
    actions: Actions,
  ) {
    const layouts = group("Layout", LAYOUTS.map(([name, text, key]) => button(text, key, `data-layout=${name}`, () => { actions.layout(name); })));
    const planes = group("Planes", PLANES.map(([name, text, key]) => button(text, key, `data-plane=${name}`, () => { view.update({ plane: name }); })));
    const overlays = group("Overlays", OVERLAYS.map(([name, text, key]) => button(text, key, `data-overlay=${name}`, () => { view.toggle(name); })));
    const tools = group("Tools", TOOLS.map(([name, text, key]) => button(text, key, `data-tool=${name}`, () => { actions.tool(name); })));
    this.presets = group("Window", PRESETS.map((preset) => button(preset.name, preset.key, `data-preset=${preset.key}`, () => { actions.preset(preset); })));
    const numbers = el("div", { class: "group" }, ...this.width.parts, ...this.level.parts);
    const type = (): void => {
      const width = Number(this.width.input.value);
      const level = Number(this.level.input.value);
      if (width > 0 && Number.isFinite(level)) view.update({ window: clampWindow({ width, level }) });
      this.width.input.value = String(view.state.window.width);
      this.level.input.value = String(view.state.window.level);
    };
    this.width.input.addEventListener("change", type);
    this.level.input.addEventListener("change", type);
    byId("toolbar").append(layouts, planes, overlays, el("div", { class: "group", id: "view-options" }), tools, this.presets, numbers);
    // Pressed by mouse, a button gives the keyboard back to the pictures: the space bar must blink.
    byId("toolbar").addEventListener("click", (event) => {
      if (event.detail > 0 && event.target instanceof Element && event.target.closest("button")) byId("stage").focus({ preventScroll: true });
    });
  }

  update(): void {
    const { state } = this.view;
    press("layout", state.layout);
    press("plane", state.plane);
    press("tool", state.tool);
    for (const [name] of OVERLAYS) pressOne(`[data-overlay=${name}]`, state.overlays[name]);
    const own = this.server.series(state.series)?.window ?? null;
    for (const preset of PRESETS) {
      const window = preset.window ?? own;
      pressOne(`[data-preset="${preset.key}"]`, window !== null && window.width === state.window.width && window.level === state.window.level);
    }
    const ownButton = this.presets.querySelector<HTMLButtonElement>('[data-preset="6"]');
    if (ownButton !== null) ownButton.disabled = own === null;
    const result = this.server.result(state.result);
    setDisabled("difference", result === null);
    setDisabled("metal", result === null);
    setDisabled("near", result === null);
    setDisabled("error", result?.has_error !== true);
    if (document.activeElement !== this.width.input) this.width.input.value = String(state.window.width);
    if (document.activeElement !== this.level.input) this.level.input.value = String(state.window.level);
  }
}

function setDisabled(overlay: Overlay, disabled: boolean): void {
  const found = document.querySelector<HTMLButtonElement>(`[data-overlay=${overlay}]`);
  if (found !== null) found.disabled = disabled;
}

function group(name: string, buttons: HTMLElement[]): HTMLElement {
  return el("div", { class: "group", role: "group", "aria-label": name }, ...buttons);
}

function button(text: string, key: string, data: string, act: () => void): HTMLElement {
  const [attribute, value] = data.split("=");
  const shown = el("kbd", { "aria-hidden": "true" }, key);
  return el("button", {
    type: "button", "aria-pressed": "false", "aria-keyshortcuts": key, title: `${text} (key ${key})`,
    [attribute]: value, onclick: act,
  }, text, shown);
}

function field(id: string, text: string): { input: HTMLInputElement; parts: HTMLElement[] } {
  const input = el("input", { type: "number", id, step: "1", class: "hu", "aria-label": text === "W" ? "Window width in HU" : "Window level in HU" });
  return { input, parts: [el("label", { for: id }, text), input] };
}

function press(kind: string, value: string): void {
  for (const one of document.querySelectorAll<HTMLElement>(`button[data-${kind}]`)) {
    one.setAttribute("aria-pressed", String(one.dataset[kind] === value));
  }
}

function pressOne(selector: string, pressed: boolean): void {
  document.querySelector(selector)?.setAttribute("aria-pressed", String(pressed));
}
