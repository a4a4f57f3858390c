/** Correcting: the method, the queue, and the corrected series that there are. */
import { messageOf, post, put, remove, type Job, type Result } from "../api";
import { byId, el, refill } from "../dom";
import type { MaskEditor } from "../mask_editor";
import { maskFile } from "../nifti";
import type { Scene } from "../scene";
import type { Server } from "../server_state";
import type { View } from "../view_state";

interface JobRow {
  element: HTMLElement;
  progress: HTMLProgressElement;
  text: HTMLElement;
  cancel: HTMLButtonElement;
}

export class CorrectPanel {
  private readonly method = el("select", { id: "method" });
  private readonly line = el("p", { class: "hint", id: "method-line" });
  private readonly useMask = el("input", { type: "checkbox", id: "use-mask", checked: true });
  private readonly useMaskRow = el("label", { class: "check", hidden: true }, this.useMask, "with the metal as painted");
  private readonly problem = el("p", { class: "problem", role: "alert", hidden: true });
  private readonly jobs = el("ul", { class: "jobs", id: "jobs" });
  private readonly results = el("div", { class: "results", id: "results", role: "radiogroup", "aria-label": "Corrected series on the right" });
  private readonly rows = new Map<string, JobRow>();
  private resultsKey = "";
  private methodsKey = "";
  /** Jobs that ended before this page was opened are not news. */
  private readonly dismissed = new Set<string>();

  constructor(
    private readonly server: Server,
    private readonly scene: Scene,
    private readonly view: View,
    private readonly editor: MaskEditor,
    private readonly onChoose: (result: string) => void,
  ) {
    this.method.addEventListener("change", () => {
      this.describe();
    });
    const button = el("button", { type: "button", id: "correct", class: "primary", onclick: () => void this.correct() }, "Correct");
    byId("correct-panel").append(
      el("div", { class: "row" }, el("label", { for: "method" }, "Method"), this.method, button),
      this.line, this.useMaskRow, this.problem, this.jobs, this.results,
    );
  }

  update(): void {
    this.fillMethods();
    this.useMaskRow.hidden = this.editor.mask === null;
    this.fillJobs();
    this.fillResults();
  }

  private fillMethods(): void {
    const { methods } = this.server.state;
    const key = JSON.stringify(methods);
    if (key === this.methodsKey) return;
    this.methodsKey = key;
    this.method.replaceChildren(
      ...methods.map((one) => el("option", { value: one.name, selected: one.default }, one.title)),
    );
    this.describe();
  }

  private describe(): void {
    const chosen = this.server.state.methods.find((one) => one.name === this.method.value);
    this.line.textContent = chosen?.line ?? "";
  }

  async correct(): Promise<void> {
    const { series } = this.view.state;
    const { original } = this.scene;
    if (series === null) return;
    this.problem.hidden = true;
    try {
      let metal: string | null = null;
      if (this.editor.mask !== null && this.useMask.checked && original !== null) {
        const file = maskFile(this.editor.mask, original);
        metal = (await put<{ id: string }>(`api/series/${series}/metal`, file)).id;
      }
      await post<Job>(`api/series/${series}/jobs`, { method: this.method.value, metal });
    } catch (error) {
      this.problem.textContent = `Not started: ${messageOf(error)}`;
      this.problem.hidden = false;
    }
  }

  /** Rows are kept while jobs run: a button that was made anew could not be pressed. */
  private fillJobs(): void {
    const jobs = this.server.jobsOf(this.view.state.series).filter((one) => this.isNews(one));
    const ids = new Set(jobs.map((one) => one.id));
    for (const [id, row] of this.rows) {
      if (ids.has(id)) continue;
      row.element.remove();
      this.rows.delete(id);
    }
    for (const job of jobs) {
      const row = this.rows.get(job.id) ?? this.addRow(job);
      this.showJob(row, job);
    }
  }

  private isNews(job: Job): boolean {
    return job.status !== "done" && !this.dismissed.has(job.id);
  }

  private addRow(job: Job): JobRow {
    const name = this.server.titleOfMethod(job.method);
    const progress = el("progress", { "aria-label": `Progress of ${name}` });
    const text = el("span", { class: "job-text" });
    const cancel = el("button", { type: "button", class: "small", "aria-label": `Cancel ${name}`, onclick: () => void this.cancel(job.id) }, "Cancel");
    const element = el("li", {}, text, progress, cancel);
    this.jobs.append(element);
    const row = { element, progress, text, cancel };
    this.rows.set(job.id, row);
    return row;
  }

  private showJob(row: JobRow, job: Job): void {
    const alive = job.status === "waiting" || job.status === "running";
    row.element.className = job.status;
    row.progress.hidden = job.status !== "running";
    if (job.total !== null && job.total > 0) {
      row.progress.max = job.total;
      row.progress.value = job.done;
    } else row.progress.removeAttribute("value");
    row.cancel.textContent = alive ? "Cancel" : "Dismiss";
    const name = this.server.titleOfMethod(job.method);
    row.text.textContent = `${name}: ${described(job)}`;
  }

  private async cancel(id: string): Promise<void> {
    const job = this.server.state.jobs.find((one) => one.id === id);
    if (job?.status === "waiting" || job?.status === "running") {
      try {
        await post<unknown>(`api/jobs/${id}/cancel`);
      } catch (error) {
        this.problem.textContent = messageOf(error);
        this.problem.hidden = false;
      }
      return;
    }
    this.dismissed.add(id);
    this.fillJobs();
  }

  private fillResults(): void {
    const results = this.server.resultsOf(this.view.state.series);
    const key = JSON.stringify([results.map((one) => [one.id, one.title]), this.view.state.result]);
    if (key === this.resultsKey) return;
    this.resultsKey = key;
    const title = results.length > 0 ? el("p", { class: "caption" }, "On the right") : null;
    refill(this.results, title, ...results.map((one) => this.resultRow(one)));
  }

  private resultRow(result: Result): HTMLElement {
    const id = `result-${result.id}`;
    const radio = el("input", {
      type: "radio", name: "result", id, value: result.id,
      checked: result.id === this.view.state.result,
      onchange: () => { this.onChoose(result.id); },
    });
    const seconds = result.seconds < 10 ? result.seconds.toFixed(1) : String(Math.round(result.seconds));
    const detail = `${result.changed.length} ${result.changed.length === 1 ? "slice" : "slices"} changed, ${seconds} s`;
    return el("div", { class: "result" },
      radio,
      el("label", { for: id }, result.title, el("span", { class: "hint" }, detail)),
      el("button", {
        type: "button", class: "small", id: `drop-${result.id}`, "aria-label": `Remove ${result.title}`,
        onclick: () => void remove(`api/results/${result.id}`).catch((error: unknown) => {
          this.problem.textContent = messageOf(error);
          this.problem.hidden = false;
        }),
      }, "Remove"),
    );
  }
}

function described(job: Job): string {
  if (job.status === "waiting") return "waiting";
  if (job.status === "cancelled") return "cancelled, nothing was kept";
  if (job.status === "failed") return `failed: ${job.error ?? "no reason was given"}`;
  if (job.total === null || job.total === 0) return "starting";
  return `slice ${job.done} of ${job.total}`;
}
