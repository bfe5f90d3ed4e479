/**
 * Renames the members of a request body to the names in the schemas, from whatever case they are written in: clients
 * written in Go send `Value` for `value`. An exact match wins over one in another case. A null counts as absent, as in
 * Go.
 *
 * @param names every member name that any request body has
 */
export function foldNames(body: unknown, names: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(body)) return body.map((entry) => foldNames(entry, names));
  if (typeof body !== "object" || body === null) return body;
  const folded: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(body)) {
    const known = names.get(name.toLowerCase()) ?? name;
    if (value === null || (known !== name && Object.hasOwn(body, known))) continue;
    Object.defineProperty(folded, known, {
      value: foldNames(value, names),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return folded;
}
