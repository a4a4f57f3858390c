/** Elements in one call. No markup is ever parsed: texts of headers cannot become elements. */

type Child = Node | string | null;
type Attributes = Record<string, string | boolean | ((event: Event) => void)>;

/** An element with attributes (`onclick` and the like are listeners) and children. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K, attributes: Attributes = {}, ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  furnish(element, attributes, children);
  return element;
}

export function svg(tag: string, attributes: Record<string, string | number>, ...children: Child[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  const texts = Object.entries(attributes).map(([name, value]) => [name, String(value)]);
  furnish(element, Object.fromEntries(texts) as Attributes, children);
  return element;
}

function furnish(element: Element, attributes: Attributes, children: Child[]): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
}

export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page lacks #${id}`);
  return element;
}

/** Replace what an element holds, but keep the focus where it was, by the id of what had it. */
export function refill(element: Element, ...children: Child[]): void {
  const focused = document.activeElement;
  const id = focused !== null && element.contains(focused) ? focused.id : "";
  element.replaceChildren(...children.filter((child) => child !== null));
  if (id !== "") document.getElementById(id)?.focus();
}
