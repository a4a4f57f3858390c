/** Files on their way to the server: dropped or chosen, with their paths, one after the other. */
import { post, ServerError, type LeftOut, type Series } from "./api";

export interface Chosen {
  path: string;
  file: File;
}

export interface Opened {
  series: Series[];
  left_out?: LeftOut[];
}

/** Files that travel at a time: a folder of DICOM is many small ones. */
const AT_A_TIME = 4;

/** All files of a drop, those in folders with their paths. */
export async function filesOfDrop(transfer: DataTransfer): Promise<Chosen[]> {
  // The entries must be asked for before the first wait: the browser takes them back then.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const nested = await Promise.all(entries.map((entry) => filesOfEntry(entry, "")));
  return nested.flat();
}

async function filesOfEntry(entry: FileSystemEntry, above: string): Promise<Chosen[]> {
  const path = above + entry.name;
  if (entry instanceof FileSystemFileEntry) {
    const file = await new Promise<File>((resolve, reject) => {
      entry.file(resolve, reject);
    });
    return [{ path, file }];
  }
  if (!(entry instanceof FileSystemDirectoryEntry)) return [];
  const reader = entry.createReader();
  const found: Chosen[] = [];
  for (;;) {
    // A folder is told in parts of at most 100 entries; an empty part is the end.
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    if (part.length === 0) return found;
    for (const below of part) found.push(...(await filesOfEntry(below, `${path}/`)));
  }
}

export function filesOfInput(input: HTMLInputElement): Chosen[] {
  return [...(input.files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

export class Upload {
  private readonly running = new Set<XMLHttpRequest>();
  private stopped = false;
  private sent = 0;

  constructor(
    private readonly files: Chosen[],
    private readonly limit: number,
    private readonly onProgress: (sent: number, total: number) => void,
  ) {}

  cancel(): void {
    this.stopped = true;
    for (const request of this.running) request.abort();
  }

  /** Send all and have them opened. Throws with the server's reason. */
  async run(): Promise<Opened> {
    const total = this.files.reduce((sum, { file }) => sum + file.size, 0);
    if (this.files.length === 0) throw new ServerError("there is no file in what was dropped");
    if (this.limit > 0 && total > this.limit) {
      throw new ServerError(
        `${gigabytes(total)} is more than the ${gigabytes(this.limit)} that can be uploaded: start ` +
          "unmetal view with the path of the series instead, which copies nothing",
      );
    }
    const { id } = await post<{ id: string }>("api/uploads");
    const queue = [...this.files];
    const carry = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        await this.send(id, next, total);
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, carry));
    return post<Opened>(`api/uploads/${id}/open`);
  }

  private send(id: string, { path, file }: Chosen, total: number): Promise<void> {
    if (this.stopped) return Promise.reject(new ServerError("the upload was cancelled"));
    // Not fetch, which does not say how far it is.
    const request = new XMLHttpRequest();
    this.running.add(request);
    let before = 0;
    const progressed = (now: number): void => {
      this.sent += now - before;
      before = now;
      this.onProgress(this.sent, total);
    };
    return new Promise<void>((resolve, reject) => {
      request.upload.onprogress = (event) => {
        progressed(Math.min(event.loaded, file.size));
      };
      request.onload = () => {
        this.running.delete(request);
        progressed(file.size);
        if (request.status < 300) resolve();
        else reject(new ServerError(said(request.responseText) ?? `the upload was refused (${request.status})`));
      };
      request.onerror = () => {
        reject(new ServerError("the upload broke off: is `unmetal view` still running?"));
      };
      request.onabort = () => {
        reject(new ServerError("the upload was cancelled"));
      };
      request.open("PUT", `api/uploads/${id}/files?path=${encodeURIComponent(path)}`);
      request.send(file);
    });
  }
}

function said(text: string): string | null {
  try {
    return (JSON.parse(text) as { error?: string }).error ?? null;
  } catch {
    return null;
  }
}

export function gigabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.max(1, Math.round(bytes / 1e6))} MB`;
}
