/** fleetctl: the command line of a fleet cluster. */
export type { ClusterClient, MachineInfo, StateInfo, UnitInfo } from "./client/cluster-client.ts";
export { GLOBAL_FLAGS } from "./command-line/global-flags.ts";
export { COMMANDS } from "./commands/index.ts";
export { completionScript } from "./completion/scripts.ts";
export { runFleetctl, type World } from "./program.ts";
