import { SCHEMAS, type SchemaName } from "@fleet/client/description";

type Json = Readonly<Record<string, unknown>>;

const NAMES = new Map<unknown, SchemaName>(
  Object.entries(SCHEMAS).map(([name, schema]) => [schema, name as SchemaName]),
);

/**
 * A schema in which each part that is itself one of SCHEMAS is replaced by a reference.
 *
 * @param refer makes the reference to a schema
 */
export function withReferences(schema: unknown, refer: (name: SchemaName) => Json, isTop = true): unknown {
  const name = isTop ? undefined : NAMES.get(schema);
  if (name !== undefined) return refer(name);
  if (Array.isArray(schema)) return schema.map((entry) => withReferences(entry, refer, false));
  if (typeof schema !== "object" || schema === null) return schema;
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, withReferences(value, refer, false)]));
}
