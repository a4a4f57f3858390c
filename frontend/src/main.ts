/** The page of `unmetal view`: everything put together. */
import { byId } from "./dom";
import { keyTable } from "./key_table";
import { KeyboardPen } from "./keyboard_pen";
import { Keys } from "./keys";
import { MaskEditor } from "./mask_editor";
import { Navigation } from "./navigation";
import { CorrectPanel } from "./panels/correct_panel";
import { ExportPanel } from "./panels/export_panel";
import { FindingsPanel } from "./panels/findings_panel";
import { helpDialog } from "./panels/help_dialog";
import { Legend } from "./panels/legend";
import { MaskPanel } from "./panels/mask_panel";
import { MeasurePanel } from "./panels/measure_panel";
import { OpenPanel } from "./panels/open_panel";
import { SeriesPanel } from "./panels/series_panel";
import { StatusBar } from "./panels/status_bar";
import { Toolbar, type Actions } from "./panels/toolbar";
import { Pictures } from "./pictures";
import { Pointer } from "./pointer";
import { Rois, type Roi } from "./rois";
import { Scene } from "./scene";
import { Selection } from "./selection";
import { Server } from "./server_state";
import { Stage } from "./stage";
import { View } from "./view_state";
import type { Preset } from "./window_levels";

const view = new View();
const server = new Server((gone) => {
  byId("gone").hidden = !gone;
});
const scene = new Scene(refresh, (message) => {
  byId("trouble").textContent = message;
  byId("trouble").hidden = message === "";
});
const navigation = new Navigation(scene, view);
const rois = new Rois(scene, () => {
  measure.update();
  stage.request();
});
const editor = new MaskEditor(refresh);
const pictures = new Pictures(scene, view, editor);
const stage = new Stage(byId("stage"), scene, view, pictures, rois);
const resultIds = (): string[] => server.resultsOf(view.state.series).map((one) => one.id);
const pen = new KeyboardPen(view, navigation, rois, editor, resultIds);
const selection = new Selection(server, scene, view, navigation, rois, editor);

const actions: Actions = {
  layout: (layout) => {
    view.update(layout === "blink" ? { layout, blink: "original" } : { layout });
  },
  tool: (tool) => {
    if (tool === "brush" || tool === "erase") paint.ensureStarted();
    // A mask cannot be begun before the images are there: the tool stays as it was then.
    if ((tool === "brush" || tool === "erase") && editor.mask === null) return;
    view.update({ tool });
  },
  preset: (preset: Preset) => {
    const window = preset.window ?? server.series(view.state.series)?.window ?? null;
    if (window !== null) view.update({ window });
  },
};

const open = new OpenPanel(server, (opened) => {
  if (opened.series.length === 0) return;
  selection.wanted = opened.series[0].id;
  selection.update();
  open.close();
});
const toolbar = new Toolbar(server, view, actions);
const correct = new CorrectPanel(server, scene, view, editor, (result) => {
  selection.openResult(result);
});
const findings = new FindingsPanel(server, view, (slice) => {
  navigation.goTo(slice, scene.views?.axial ?? null);
  if (view.state.plane !== "axial" && view.state.plane !== "multi") view.update({ plane: "axial" });
});
const paint = new MaskPanel(scene, view, editor, () => void correct.correct());
const measure = new MeasurePanel(server, view, rois, showRoi);
const exports = new ExportPanel(server, view);
const series = new SeriesPanel(server, view, selection, () => {
  open.show();
});
const status = new StatusBar(scene, view, navigation);
const legend = new Legend(scene, view);

const table = keyTable(view, navigation, editor, {
  ...actions,
  blink: () => {
    if (view.state.layout === "blink") view.update({ blink: view.state.blink === "original" ? "corrected" : "original" });
    else view.update({ layout: "blink", blink: "corrected" });
  },
  nextResult: () => {
    selection.nextResult();
  },
  press: () => {
    pen.press();
  },
  drawAlong: () => {
    pen.drawAlong();
  },
  escape: () => {
    if (open.isShown) open.hide();
    else if (!pen.escape()) view.update({ tool: "navigate", layout: "side" });
  },
  open: () => {
    open.show();
  },
  help: () => {
    help.open();
  },
  correct: () => void correct.correct(),
});
const keys = new Keys(table);
const help = helpDialog(table.filter((key) => key.what !== "" && key.group !== ""), keys, () => server.state.version);

/** A region is shown where it was drawn: its plane, its slice. */
function showRoi(roi: Roi): void {
  rois.choose(roi);
  const plane = scene.views?.[roi.plane] ?? null;
  if (view.state.plane !== "multi") view.update({ plane: roi.plane });
  navigation.goTo(roi.index, plane);
}

function refresh(): void {
  selection.settle();
  paint.update();
  correct.update();
  toolbar.update();
  status.update();
  legend.update();
  stage.request();
}

view.watch((changed) => {
  status.update();
  if (changed.size === 1 && (changed.has("pointer") || changed.has("cross"))) return;
  toolbar.update();
  paint.update();
  legend.update();
  document.body.dataset.tool = view.state.tool;
  if (changed.has("series") || changed.has("result")) {
    correct.update();
    findings.update();
    exports.update();
    measure.update();
    series.update();
  }
});

new Pointer(stage, scene, view, navigation, rois, editor, resultIds);
byId("help-button").addEventListener("click", () => {
  help.open();
});
server.watch((state) => {
  selection.update();
  correct.update();
  findings.update();
  exports.update();
  series.update();
  refresh();
  // Paths of the command line that are still being read are no reason to ask for others.
  if (state.series.length === 0 && state.opening === 0 && !open.isShown) open.show();
  else if (state.series.length > 0 && !document.body.classList.contains("opening")) open.hide();
  byId("version").textContent = `unmetal ${state.version}`;
});
stage.arrange();
server.connect();
