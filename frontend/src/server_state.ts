/** The server's state as it last told it, and whether it still does. */
import type { Job, Result, Series, ServerState } from "./api";

/** ms without a connection after which the reader is told: a short pause is none of their business. */
const PATIENCE = 3000;

export class Server {
  state: ServerState = {
    version: "", methods: [], series: [], jobs: [], results: [], left_out: [], opening: 0,
    upload_limit_bytes: 0, destinations: false,
  };
  private readonly listeners: ((state: ServerState) => void)[] = [];
  private lost: number | null = null;

  constructor(private readonly onGone: (gone: boolean) => void) {}

  watch(listener: (state: ServerState) => void): void {
    this.listeners.push(listener);
  }

  connect(): void {
    const events = new EventSource("api/events");
    events.addEventListener("state", (event: MessageEvent<string>) => {
      this.heard();
      this.state = JSON.parse(event.data) as ServerState;
      for (const listener of this.listeners) listener(this.state);
    });
    events.onopen = () => {
      this.heard();
    };
    events.onerror = () => {
      this.lost ??= window.setTimeout(() => {
        this.onGone(true);
      }, PATIENCE);
      // A server that refuses ends the stream for good; one that is away is asked again by itself.
      if (events.readyState === EventSource.CLOSED) {
        window.setTimeout(() => {
          this.connect();
        }, PATIENCE);
      }
    };
  }

  private heard(): void {
    if (this.lost !== null) window.clearTimeout(this.lost);
    this.lost = null;
    this.onGone(false);
  }

  series(id: string | null): Series | null {
    return this.state.series.find((one) => one.id === id) ?? null;
  }

  result(id: string | null): Result | null {
    return this.state.results.find((one) => one.id === id) ?? null;
  }

  resultsOf(series: string | null): Result[] {
    return this.state.results.filter((one) => one.series === series);
  }

  jobsOf(series: string | null): Job[] {
    return this.state.jobs.filter((one) => one.series === series);
  }

  titleOfMethod(name: string): string {
    return this.state.methods.find((one) => one.name === name)?.title ?? name;
  }
}
