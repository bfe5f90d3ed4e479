/** fleetctl: the command line of a fleet cluster. */
export type { FleetClient, MachineInfo, StateInfo, UnitInfo } from "./client/fleet-client.ts";
export { COMMANDS } from "./commands/index.ts";
export { GLOBAL_FLAGS } from "./global-flags.ts";
export { runFleetctl, type World } from "./program.ts";
