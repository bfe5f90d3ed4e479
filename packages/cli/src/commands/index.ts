import type { Command } from "../command.ts";
import { cat } from "./cat.ts";
import { destroy } from "./destroy.ts";
import { listMachines } from "./list-machines.ts";
import { listUnitFiles } from "./list-unit-files.ts";
import { listUnits } from "./list-units.ts";
import { load } from "./load.ts";
import { restart } from "./restart.ts";
import { start } from "./start.ts";
import { stop } from "./stop.ts";
import { submit } from "./submit.ts";
import { unload } from "./unload.ts";

/** Every command of fleetctl. */
export const COMMANDS: readonly Command[] = [
  cat,
  destroy,
  listMachines,
  listUnitFiles,
  listUnits,
  load,
  restart,
  start,
  stop,
  submit,
  unload,
];
