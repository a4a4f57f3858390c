/** Where a series comes in: dropped, or chosen by a button. */
import { messageOf } from "../api";
import { byId, el } from "../dom";
import type { Server } from "../server_state";
import { filesOfDrop, filesOfInput, gigabytes, Upload, type Chosen, type Opened } from "../upload";

export class OpenPanel {
  private readonly panel = byId("open");
  private readonly progress = el("progress", { max: "1", "aria-label": "Upload" });
  private readonly status = el("p", { class: "open-status", role: "status" });
  private readonly problem = el("p", { class: "problem", role: "alert", hidden: true });
  private readonly leftOut = el("ul", { class: "left-out", hidden: true });
  private readonly busy = el("div", { class: "busy", hidden: true });
  private readonly back = el("button", { type: "button", class: "open-close", hidden: true }, "Back to the images");
  private upload: Upload | null = null;

  constructor(
    private readonly server: Server,
    private readonly onOpened: (opened: Opened) => void,
  ) {
    const folder = chooser("open-folder", "Choose a folder", true);
    const file = chooser("open-file", "Choose a file or zip", false);
    for (const input of [folder.input, file.input]) {
      input.addEventListener("change", () => {
        void this.send(filesOfInput(input));
        input.value = "";
      });
    }
    const stop = el("button", { type: "button", onclick: () => this.upload?.cancel() }, "Cancel");
    this.busy.append(this.progress, this.status, stop);
    this.back.addEventListener("click", () => {
      this.hide();
    });
    this.panel.append(
      el("div", { class: "drop-zone" },
        el("h2", {}, "Open a CT series"),
        el("p", { class: "lead" }, "Drop a DICOM folder, a zip or a file here"),
        el("p", { class: "hint" }, "DICOM, NIfTI, MetaImage, NRRD, NumPy or 16-bit PNG. The images stay on this machine, and the originals are never changed."),
        el("div", { class: "choosers" }, folder.label, file.label),
        this.busy, this.problem, this.leftOut, this.back,
      ),
    );
    this.catchDrops();
  }

  show(): void {
    this.panel.hidden = false;
    this.back.hidden = this.server.state.series.length === 0;
    document.body.classList.add("opening");
    byId("open-folder").focus();
  }

  /** Back to the images, where there are any. */
  hide(): void {
    if (this.server.state.series.length > 0) this.close();
  }

  /** For who knows that a series was opened, which the server's state may tell later. */
  close(): void {
    this.panel.hidden = true;
    document.body.classList.remove("opening");
  }

  get isShown(): boolean {
    return !this.panel.hidden;
  }

  private catchDrops(): void {
    window.addEventListener("dragover", (event) => {
      event.preventDefault();
      document.body.classList.add("dragging");
    });
    window.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) document.body.classList.remove("dragging");
    });
    window.addEventListener("drop", (event) => {
      event.preventDefault();
      document.body.classList.remove("dragging");
      if (event.dataTransfer === null) return;
      this.show();
      void filesOfDrop(event.dataTransfer).then((files) => this.send(files));
    });
  }

  private async send(files: Chosen[]): Promise<void> {
    if (this.upload !== null) return;
    this.problem.hidden = true;
    this.leftOut.hidden = true;
    this.busy.hidden = false;
    this.upload = new Upload(files, this.server.state.upload_limit_bytes, (sent, total) => {
      this.progress.value = total > 0 ? sent / total : 0;
      this.status.textContent =
        sent < total ? `${gigabytes(sent)} of ${gigabytes(total)}` : "Reading the images";
    });
    try {
      const opened = await this.upload.run();
      this.tell(opened);
      this.onOpened(opened);
    } catch (error) {
      this.problem.textContent = `Not opened: ${messageOf(error)}`;
      this.problem.hidden = false;
    }
    this.upload = null;
    this.busy.hidden = true;
  }

  /** What of the upload was no CT series, with the reason. */
  private tell(opened: Opened): void {
    const left = opened.left_out ?? [];
    this.leftOut.hidden = left.length === 0;
    this.leftOut.replaceChildren(...left.map(({ what, why }) => el("li", {}, `${what}: ${why}`)));
  }
}

/** A button that opens the browser's dialog: a real file input, so that keys reach it. */
function chooser(id: string, text: string, folder: boolean): { input: HTMLInputElement; label: HTMLElement } {
  const input = el("input", { type: "file", id, class: "visually-hidden", webkitdirectory: folder });
  return { input, label: el("span", { class: "chooser" }, input, el("label", { for: id, class: "button" }, text)) };
}
