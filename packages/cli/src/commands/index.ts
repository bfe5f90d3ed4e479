import type { Command } from "../command.ts";
import { history } from "./history/history.ts";
import { undo } from "./history/undo.ts";
import { events } from "./looking/events.ts";
import { explain } from "./looking/explain.ts";
import { journal } from "./looking/journal.ts";
import { listUnitFiles } from "./looking/list-unit-files.ts";
import { listUnits } from "./looking/list-units.ts";
import { status } from "./looking/status.ts";
import { top } from "./looking/top.ts";
import { cordon, uncordon } from "./machines/cordon.ts";
import { drain } from "./machines/drain.ts";
import { forget } from "./machines/forget.ts";
import { listMachines } from "./machines/list-machines.ts";
import { rebalance } from "./machines/rebalance.ts";
import { setMetadata } from "./machines/set-metadata.ts";
import { ssh } from "./machines/ssh.ts";
import { roll } from "./rolls/roll.ts";
import { complete } from "./shell/complete.ts";
import { completion } from "./shell/completion.ts";
import { fdForward } from "./shell/fd-forward.ts";
import { cat } from "./units/cat.ts";
import { destroy } from "./units/destroy.ts";
import { load } from "./units/load.ts";
import { restart } from "./units/restart.ts";
import { start } from "./units/start.ts";
import { stop } from "./units/stop.ts";
import { submit } from "./units/submit.ts";
import { unload } from "./units/unload.ts";
import { verify } from "./units/verify.ts";

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
  forget,
  history,
  journal,
  listMachines,
  listUnitFiles,
  listUnits,
  load,
  rebalance,
  restart,
  roll,
  setMetadata,
  ssh,
  start,
  status,
  stop,
  submit,
  top,
  uncordon,
  undo,
  unload,
  verify,
];
