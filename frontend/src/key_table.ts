/** Which key does what. */
import type { Key } from "./keys";
import type { MaskEditor } from "./mask_editor";
import type { Navigation } from "./navigation";
import type { Layout, Overlay, PlaneChoice, Tool, View } from "./view_state";
import { PRESETS, type Preset } from "./window_levels";

export interface KeyActions {
  layout: (layout: Layout) => void;
  tool: (tool: Tool) => void;
  preset: (preset: Preset) => void;
  blink: () => void;
  nextResult: () => void;
  /** Enter: what a press of the pointer does, at the crosshair. */
  press: () => void;
  /** The crosshair has moved by keys: what the pointer does when it is drawn along. */
  drawAlong: () => void;
  escape: () => void;
  open: () => void;
  help: () => void;
  correct: () => void;
}

export function keyTable(view: View, navigation: Navigation, editor: MaskEditor, actions: KeyActions): Key[] {
  const one = (group: string, key: string, what: string, act: () => void): Key => ({
    keys: [key.toLowerCase()], shown: key.length === 1 ? key.toUpperCase() : key, what, group, act,
  });
  const layout = (key: string, name: Layout, what: string): Key => one("View", key, what, () => { actions.layout(name); });
  const plane = (key: string, name: PlaneChoice, what: string): Key => one("View", key, what, () => { view.update({ plane: name }); });
  const overlay = (key: string, name: Overlay, what: string): Key => one("Overlays", key, what, () => { view.toggle(name); });
  const tool = (key: string, name: Tool, what: string): Key => one("Tools", key, what, () => { actions.tool(name); });
  return [
    ...moving(view, navigation, actions),
    { keys: [" "], shown: "Space", what: "blink: original, corrected", group: "View", act: actions.blink },
    layout("l", "side", "side by side"),
    layout("u", "curtain", "curtain"),
    plane("a", "axial", "axial"),
    plane("c", "coronal", "coronal"),
    plane("s", "sagittal", "sagittal"),
    plane("m", "multi", "all three planes"),
    one("View", "p", "next corrected series on the right", actions.nextResult),
    one("View", "k", "crosshair lines on or off", () => { view.update({ crosshair: !view.state.crosshair }); }),
    ...PRESETS.map((preset) => one("Window", preset.key, described(preset), () => { actions.preset(preset); })),
    overlay("d", "difference", "difference in HU"),
    overlay("o", "metal", "outline of the metal"),
    overlay("n", "near", "zone within 5 mm of metal"),
    overlay("t", "error", "expected error: do not trust"),
    tool("v", "navigate", "crosshair"),
    tool("w", "window", "window"),
    tool("h", "pan", "pan"),
    tool("z", "zoom", "zoom"),
    tool("r", "rectangle", "measure a rectangle"),
    tool("e", "ellipse", "measure an ellipse"),
    tool("i", "line", "profile along a line"),
    tool("b", "brush", "paint metal"),
    tool("x", "erase", "erase painted metal"),
    { keys: ["Enter"], shown: "Enter", what: "begin or end the measurement, or dab the brush, at the crosshair", group: "Tools", act: actions.press },
    { keys: ["["], shown: "[ ]", what: "smaller or larger brush", group: "Tools", act: () => { resizeBrush(view, -1); } },
    { keys: ["]"], shown: "]", what: "larger brush", group: "", act: () => { resizeBrush(view, 1); } },
    { keys: ["z"], control: true, shown: "Ctrl Z", what: "undo the last stroke", group: "Tools", act: () => { editor.undo(); } },
    one("Page", "g", "correct with the chosen method", actions.correct),
    one("Page", "f", "open another series", actions.open),
    { keys: ["?"], shown: "?", what: "this help", group: "Page", act: actions.help },
    { keys: ["Escape"], shown: "Esc", what: "back to side by side and the crosshair", group: "Page", act: actions.escape },
  ];
}

function moving(view: View, navigation: Navigation, actions: KeyActions): Key[] {
  const shift = (right: number, down: number) => () => {
    navigation.nudge(right, down);
    actions.drawAlong();
  };
  const aside = (by: number) => () => {
    if (view.state.layout === "curtain") view.update({ curtain: Math.min(1, Math.max(0, view.state.curtain + by)) });
  };
  const group = "Move";
  return [
    { keys: ["ArrowUp"], shift: false, shown: "↑ ↓", what: "slice before, slice after", group, act: () => { navigation.scroll(-1); } },
    { keys: ["ArrowDown"], shift: false, shown: "", what: "", group: "", act: () => { navigation.scroll(1); } },
    { keys: ["PageUp"], shown: "PgUp PgDn", what: "ten slices", group, act: () => { navigation.scroll(-10); } },
    { keys: ["PageDown"], shown: "", what: "", group: "", act: () => { navigation.scroll(10); } },
    { keys: ["Home"], shown: "Home End", what: "first slice, last slice", group, act: () => { navigation.goTo(0); } },
    { keys: ["End"], shown: "", what: "", group: "", act: () => { navigation.goTo(navigation.sliceCount - 1); } },
    { keys: ["j"], shown: "J", what: "next slice with metal", group, act: () => { navigation.nextMetal(); } },
    { keys: ["ArrowLeft"], shift: false, shown: "← →", what: "move the curtain", group, act: aside(-0.02) },
    { keys: ["ArrowRight"], shift: false, shown: "", what: "", group: "", act: aside(0.02) },
    { keys: ["ArrowLeft"], shift: true, shown: "Shift and arrows", what: "move the crosshair", group, act: shift(-1, 0) },
    { keys: ["ArrowRight"], shift: true, shown: "", what: "", group: "", act: shift(1, 0) },
    { keys: ["ArrowUp"], shift: true, shown: "", what: "", group: "", act: shift(0, -1) },
    { keys: ["ArrowDown"], shift: true, shown: "", what: "", group: "", act: shift(0, 1) },
    { keys: ["+", "="], shown: "+ −", what: "zoom, about the crosshair", group, act: () => { navigation.zoomBy(1.25, view.state.cross); } },
    { keys: ["-"], shown: "", what: "", group: "", act: () => { navigation.zoomBy(0.8, view.state.cross); } },
    { keys: ["0"], shown: "0", what: "the whole picture again", group, act: () => { navigation.fit(); } },
  ];
}

function resizeBrush(view: View, by: number): void {
  view.update({ brushRadius: Math.min(30, Math.max(1, view.state.brushRadius + by)) });
}

function described(preset: Preset): string {
  if (preset.window === null) return "the DICOM header's own";
  const { width, level } = preset.window;
  return `${preset.name.toLowerCase()}: width ${width}, level ${String(level).replace("-", "−")}`;
}
