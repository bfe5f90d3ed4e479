import { DATA_FAULTS } from "./kinds/data-faults.ts";
import { ETCD_FAULTS } from "./kinds/etcd-faults.ts";
import { HOST_FAULTS } from "./kinds/host-faults.ts";
import { NETWORK_FAULTS } from "./kinds/network-faults.ts";
import { PROCESS_FAULTS } from "./kinds/process-faults.ts";
import type { Fault } from "./target.ts";

/** All faults, by name; docs/reliability.md says what they do. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  ...PROCESS_FAULTS,
  ...ETCD_FAULTS,
  ...NETWORK_FAULTS,
  ...HOST_FAULTS,
  ...DATA_FAULTS,
};
