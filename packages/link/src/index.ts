/** The link: an API asks agents, who call it for that. It knows neither systemd nor HTTP. */
export { LinkAnswerer, type LinkAnswererOptions } from "./answerer.ts";
export { LinkError, type LinkErrorCode, RefusedQuestion } from "./errors.ts";
export { CHUNK_BYTES } from "./limits.ts";
export type {
  Answer,
  JournalChunk,
  JournalQuestion,
  MemoryUsage,
  Pressure,
  Question,
  StatusQuestion,
  UnitProcess,
  UnitStatus,
  UnitUsage,
  UsageQuestion,
  UsageSample,
  VerbName,
} from "./messages.ts";
export { type AskOptions, LinkServer, type LinkServerOptions } from "./server.ts";
export type { Verbs } from "./verbs.ts";
