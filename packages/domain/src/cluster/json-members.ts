import { isPlainPart } from "./plain-part.ts";

/** What a value in etcd has, whoever wrote it. */
export type Json = Readonly<Record<string, unknown>>;

/** A value in etcd as an object; null: it is none. */
export function object(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : null;
  } catch {
    return null;
  }
}

/** A member that is a text; null: it is left out, or is none. */
export const string = (value: unknown): string | null => (typeof value === "string" ? value : null);

/** A member that becomes part of a key, such as a hash; null: it is left out, or is none. */
export const part = (value: unknown): string | null => (typeof value === "string" && isPlainPart(value) ? value : null);
