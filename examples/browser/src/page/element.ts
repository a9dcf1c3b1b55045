/** The element of the page with this id. @throws Error where the page has none of this type */
export function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`index.html has no <${type.name} id="${id}">`);
}
