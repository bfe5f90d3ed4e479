import type { JsonPage } from "../model/cluster-view.ts";
import { decodePageToken, encodePageToken } from "../model/page-token.ts";
import { HttpError } from "./errors.ts";

/**
 * One page of a list as JSON, with the token of the next page.
 *
 * @param member the list's name in the answer
 * @param query the request's query, with `nextPageToken` at most once
 * @param size most entries of a page
 * @param take gives the entries from a place on
 * @throws HttpError 400 where the token is not valid
 */
export async function pageJson(
  member: string,
  query: Readonly<Record<string, unknown>>,
  size: number,
  take: (start: number, count: number) => JsonPage | Promise<JsonPage>,
): Promise<string> {
  const number = pageNumber(query.nextPageToken, size);
  const { items, more } = await take((number - 1) * size, size);
  const next = more ? `,"nextPageToken":"${encodePageToken({ size, number: number + 1 })}"` : "";
  // The old server leaves an empty list out.
  return items.length === 0 ? "{}" : `{"${member}":[${items.join(",")}]${next}}`;
}

function pageNumber(token: unknown, size: number): number {
  if (token === undefined) return 1;
  if (typeof token !== "string") throw new HttpError(400, "invalid nextPageToken: expected it once");
  const page = decodePageToken(token);
  if (page === null) throw new HttpError(400, "invalid nextPageToken: it is not a token of this server");
  if (page.size !== size)
    throw new HttpError(
      400,
      `invalid nextPageToken: it is for pages of ${page.size} entries, and this server's have ${size}`,
    );
  if (page.number === 0) throw new HttpError(400, "invalid nextPageToken: pages are numbered from 1");
  return page.number;
}

/** A query parameter that may be given once; null where it is absent or empty. */
export function onlyValue(query: Readonly<Record<string, unknown>>, name: string): string | null {
  const value = query[name];
  if (value === undefined || value === "") return null;
  if (typeof value !== "string") throw new HttpError(400, `invalid ${name}: expected it once`);
  return value;
}
