const PLAIN_PART = /^(?!\.{1,2}$)[!-.0-~]{1,256}$/;

/**
 * Whether a text may be a part of a key: an ID, a hash or a name that gets to a path, a command line or a terminal must
 * not lead any of them elsewhere.
 */
export function isPlainPart(text: string): boolean {
  return PLAIN_PART.test(text);
}
