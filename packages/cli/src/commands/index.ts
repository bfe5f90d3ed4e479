import type { Command } from "../command.ts";
import { cat } from "./cat.ts";
import { complete } from "./complete.ts";
import { completion } from "./completion.ts";
import { cordon, uncordon } from "./cordon.ts";
import { destroy } from "./destroy.ts";
import { drain } from "./drain.ts";
import { events } from "./events.ts";
import { explain } from "./explain.ts";
import { fdForward } from "./fd-forward.ts";
import { journal } from "./journal.ts";
import { listMachines } from "./list-machines.ts";
import { listUnitFiles } from "./list-unit-files.ts";
import { listUnits } from "./list-units.ts";
import { load } from "./load.ts";
import { rebalance } from "./rebalance.ts";
import { restart } from "./restart.ts";
import { ssh } from "./ssh.ts";
import { start } from "./start.ts";
import { status } from "./status.ts";
import { stop } from "./stop.ts";
import { submit } from "./submit.ts";
import { unload } from "./unload.ts";
import { verify } from "./verify.ts";

/** Every command of fleetctl. */
export const COMMANDS: readonly Command[] = [
  cat,
  complete(() => COMMANDS),
  completion,
  cordon,
  destroy,
  drain,
  events,
  explain,
  fdForward,
  journal,
  listMachines,
  listUnitFiles,
  listUnits,
  load,
  rebalance,
  restart,
  ssh,
  start,
  status,
  stop,
  submit,
  uncordon,
  unload,
  verify,
];
