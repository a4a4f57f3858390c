/** The keyboard: one table, which is also what the help shows. */

export interface Key {
  /** As `KeyboardEvent.key` names them; letters in lower case. */
  keys: string[];
  shown: string;
  what: string;
  group: string;
  /** With Shift held; other keys are the same with and without. */
  shift?: boolean;
  control?: boolean;
  act: (event: KeyboardEvent) => void;
}

/** Elements that use these keys themselves. */
const TYPING = "input:not([type=range]):not([type=radio]):not([type=checkbox]), textarea, select";
const ARROWS = "input, select, textarea, aside";
const PRESSED_BY_SPACE = "button, a, summary, input, select, textarea";

export class Keys {
  /** Keys of one letter may disturb those who dictate: they can be switched off in the help. */
  enabled = true;

  constructor(private readonly table: readonly Key[]) {
    document.addEventListener("keydown", (event) => {
      this.pressed(event);
    });
  }

  private pressed(event: KeyboardEvent): void {
    if (event.altKey || event.metaKey || document.querySelector("dialog[open]") !== null) return;
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const key = this.table.find((one) => one.keys.includes(name) && this.fits(one, event));
    if (key === undefined || taken(event.target, name)) return;
    if (!this.enabled && name.length === 1 && name !== "?") return;
    event.preventDefault();
    key.act(event);
  }

  private fits(key: Key, event: KeyboardEvent): boolean {
    if ((key.control ?? false) !== event.ctrlKey) return false;
    return key.shift === undefined || key.shift === event.shiftKey;
  }
}

function taken(target: EventTarget | null, name: string): boolean {
  if (!(target instanceof Element)) return false;
  if (target.matches(TYPING)) return true;
  if ((name === " " || name === "Enter") && target.matches(PRESSED_BY_SPACE)) return true;
  const moves = name.startsWith("Arrow") || name === "Home" || name === "End" || name.startsWith("Page");
  return moves && target.matches(ARROWS);
}
