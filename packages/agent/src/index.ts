/** The agent of one machine: what the registry wants, done by its systemd; states back. */
export { startAgent } from "./agent.ts";
export { type AnswerOptions, agentVerbs } from "./answers/verbs.ts";
export type { AgentFailpoint } from "./failpoint.ts";
export { IdentityError } from "./machine/identity.ts";
export type { Install } from "./model/install.ts";
export type { AgentOptions, RunningAgent } from "./running-agent.ts";
export { DBusSystemd } from "./systemd/dbus-systemd.ts";
export {
  ForeignUnitError,
  type OwnService,
  type StartJob,
  type Systemd,
  SystemdError,
  type UnitToLoad,
} from "./systemd/systemd.ts";
