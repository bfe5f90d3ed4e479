import { SCHEMAS, type SchemaName } from "@fleet/client/description";

type Json = Readonly<Record<string, unknown>>;

const NAMES = new Map<unknown, SchemaName>(
  Object.entries(SCHEMAS).map(([name, schema]) => [schema, name as SchemaName]),
);

/**
 * A schema with every part that has a name of its own replaced by a reference to it.
 *
 * @param refer writes the reference
 */
export function withReferences(schema: unknown, refer: (name: SchemaName) => Json, isTop = true): unknown {
  const name = isTop ? undefined : NAMES.get(schema);
  if (name !== undefined) return refer(name);
  if (Array.isArray(schema)) return schema.map((entry) => withReferences(entry, refer, false));
  if (typeof schema !== "object" || schema === null) return schema;
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, withReferences(value, refer, false)]));
}
