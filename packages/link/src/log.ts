/** What the link needs of a log. */
export interface BaseLog {
  debug(message: string): void;
  warn(message: string): void;
}
