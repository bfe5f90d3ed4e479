import type { Verbs } from "@fleet/link";
import type { Registry } from "@fleet/registry";
import { DBusUnitDetails, type UnitDetails } from "../systemd/unit-details.ts";
import { readJournal } from "./journal.ts";
import { OwnUnits } from "./own-units.ts";
import { readStatus } from "./status.ts";
import { readUsage } from "./usage.ts";

/** What an agent's answers are made of. */
export interface AnswerOptions {
  readonly registry: Registry;
  readonly unitsDirectory: string;
  /** Whether fleet's units are those of a user's own systemd. */
  readonly isUser: boolean;
  /** By default journalctl, from PATH. */
  readonly journalctl?: readonly string[];
  /** By default over D-Bus. */
  readonly connectDetails?: () => Promise<UnitDetails>;
}

/** The verbs of the link on this machine: journal, status and usage of fleet's own units. Nothing of it changes anything. */
export function agentVerbs(options: AnswerOptions): Verbs {
  const { registry, unitsDirectory, isUser, journalctl: command = ["journalctl"] } = options;
  const connectDetails = options.connectDetails ?? (() => DBusUnitDetails.connect(isUser, unitsDirectory));
  const units = new OwnUnits({ registry, unitsDirectory, connectDetails });
  const journal = { command, isUser, unitsDirectory, units };
  return {
    journal: (question, signal) => readJournal(question, signal, journal),
    status: (question, signal) => readStatus(question, signal, { connectDetails, journal }),
    usage: (question, signal) => readUsage(question, signal, { unitsDirectory, connectDetails }),
  };
}
