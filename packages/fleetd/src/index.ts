/** The daemon: agent, engine and API in one process, or one of them. */
export { HELP, type Invocation, type RoleName, readArguments } from "./arguments.ts";
export { type Daemon, startDaemon } from "./daemon.ts";
