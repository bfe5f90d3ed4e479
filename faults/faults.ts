import { CONFIGURATION_FAULTS } from "./kinds/configuration-faults.ts";
import { DATA_FAULTS } from "./kinds/data-faults.ts";
import { ETCD_FAULTS } from "./kinds/etcd-faults.ts";
import { HOST_FAULTS } from "./kinds/host-faults.ts";
import { LOAD_FAULTS } from "./kinds/load-faults.ts";
import { NETWORK_FAULTS } from "./kinds/network-faults.ts";
import { PROCESS_FAULTS } from "./kinds/process-faults.ts";
import { RESTORE_FAULTS } from "./kinds/restore-faults.ts";
import type { Fault } from "./target.ts";

/** A storm has these only where it is asked for them by name: the other version of a storm has no rule for them. */
const BY_NAME_ONLY: ReadonlySet<string> = new Set(["etcd restored"]);

/** All faults, by name; docs/reliability.md says what they do. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  ...PROCESS_FAULTS,
  ...ETCD_FAULTS,
  ...NETWORK_FAULTS,
  ...HOST_FAULTS,
  ...DATA_FAULTS,
  ...RESTORE_FAULTS,
  ...CONFIGURATION_FAULTS,
  ...LOAD_FAULTS,
};

/** Names of the faults of a storm that is asked for none by name. */
export const DEFAULT_FAULTS: readonly string[] = Object.keys(FAULTS).filter((name) => !BY_NAME_ONLY.has(name));
