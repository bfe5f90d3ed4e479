/** A page of a list: most entries of a page, and the number of this one, from 1. */
export interface Page {
  readonly size: number;
  readonly number: number;
}

/** The token of a page: URL-safe base64, with padding, of two little-endian unsigned 16-bit numbers. */
export function encodePageToken({ size, number }: Page): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(size, 0);
  bytes.writeUInt16LE(number, 2);
  return bytes.toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}

/** Reads a token; null where it is not one. */
export function decodePageToken(token: string): Page | null {
  if (!/^[A-Za-z0-9_-]{6}==$/.test(token)) return null;
  const bytes = Buffer.from(token, "base64url");
  return { size: bytes.readUInt16LE(0), number: bytes.readUInt16LE(2) };
}
