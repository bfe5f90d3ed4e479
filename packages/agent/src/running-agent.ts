import type { Config } from "@fleet/config";
import type { Registry } from "@fleet/registry";
import type { BaseLogger } from "pino";
import type { AgentFailpoint } from "./failpoint.ts";
import type { Systemd } from "./systemd/systemd.ts";

/** What an agent is built from. */
export interface AgentOptions {
  readonly config: Config;
  readonly registry: Registry;
  readonly log: BaseLogger;
  /** 32 hex digits; by default the ID of this machine. */
  readonly machineID?: string;
  /** Connects to systemd; asked again whenever the connection was lost. */
  readonly connectSystemd: () => Promise<Systemd>;
  /** Called between two effects, for tests: it may not return. Absent: nothing happens there. */
  readonly failpoint?: (point: AgentFailpoint) => void;
}

/** A running agent. */
export interface RunningAgent {
  readonly machineID: string;
  /** Whether the registry takes this machine: false while another agent holds its ID. */
  readonly isAccepted: () => boolean;
  /** Fulfilled once the machine is in the registry. */
  readonly entered: Promise<void>;
  reload(config: Config): Promise<void>;
  snapshot(): unknown;
  /**
   * Leaves the cluster.
   *
   * @param units what becomes of its units; by default as units_on_shutdown says
   */
  stop(units?: Config["unitsOnShutdown"]): Promise<void>;
}
