import type { Roll } from "@fleet/client";
import type { ClusterClient } from "../../client/cluster-client.ts";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import { follow } from "../../waiting/follow.ts";
import { untilSettled, type Wait } from "../../waiting/until-settled.ts";

/** When to look again though nothing happens. */
const AGAIN_MS = 500;
/** For an API to hear of a roll that was just begun. */
const HEARD_MS = 5_000;

type Phase = Roll["units"][number]["phase"];

/** What is said of a unit as it comes to a phase; nothing of the others. */
const SAID: Readonly<Partial<Record<Phase, string>>> = {
  stopping: "stops",
  starting: "starts",
  done: "done",
  returning: "gets its old version back",
  returned: "has its old version again",
  stuck: "could not be undone",
  failed: "failed",
  left: "left alone",
};

/** How many units of a roll have each phase, in a few words. */
export function countsText({ units }: Pick<Roll, "units">): string {
  const count = (...phases: readonly Phase[]): number => units.filter(({ phase }) => phases.includes(phase)).length;
  const parts: readonly (readonly [number, string])[] = [
    [count("stopping", "starting", "returning"), "in progress"],
    [count("failed"), "failed"],
    [count("left"), "left alone"],
    [count("returned"), "undone"],
    [count("stuck"), "not undone"],
    [count("waiting"), "waiting"],
  ];
  const told = parts.filter(([number]) => number > 0).map(([number, what]) => `${number} ${what}`);
  return [`${count("done")} of ${units.length} done`, ...told].join(", ");
}

/** A roll's status in a line. */
export function statusText(roll: Roll): string {
  return `${roll.status}${roll.why === undefined ? "" : `: ${roll.why}`}`;
}

/**
 * Waits until a roll is over or pauses, and says what becomes of its units.
 *
 * @param isUndo to have it undone is what was asked for
 * @returns whether it came to what was asked for
 */
export async function waitForRoll(
  context: Context,
  client: ClusterClient,
  id: string,
  isUndo = false,
): Promise<boolean> {
  const wait = new RollWait(context, client, id);
  const roll = await untilSettled(await follow(client, {}), Number.POSITIVE_INFINITY, wait);
  context.progress(null);
  if (roll === null) throw new CommandError(`roll ${id} was not waited for`);
  const line = `Roll ${id} ${statusText(roll)} (${countsText(roll)})`;
  const isUndone = (isUndo || wait.wasUndoing) && !roll.units.some(({ phase }) => phase === "stuck");
  const isFine = roll.status === "done" || roll.status === "paused" || (roll.status === "undone" && isUndone);
  if (isFine) context.out(line);
  else context.err(`Error: ${line}`);
  return isFine;
}

class RollWait implements Wait<Roll> {
  readonly #context: Context;
  readonly #client: ClusterClient;
  readonly #id: string;
  /** The last phase of each unit that was told. */
  readonly #told = new Map<string, Phase>();
  #roll: Roll | null = null;
  readonly #since = performance.now();
  /** It was being undone already as the wait began: that is what its user waits for. */
  wasUndoing = false;

  constructor(context: Context, client: ClusterClient, id: string) {
    this.#context = context;
    this.#client = client;
    this.#id = id;
  }

  async look(): Promise<Roll | null> {
    const roll = await this.#client.roll(this.#id);
    if (roll === null) {
      // Another API than the one that began it may not have heard of it yet.
      if (this.#roll === null && performance.now() - this.#since < HEARD_MS) return null;
      throw new CommandError(`There is no roll ${this.#id}, or it is not kept any more.`);
    }
    if (this.#roll === null) this.wasUndoing = roll.status === "undoing";
    for (const { name, phase, why } of roll.units) {
      const said = SAID[phase];
      const isNews = this.#told.get(name) !== phase;
      // What was so before the wait is counted, and not told.
      if (isNews && this.#roll !== null && said !== undefined) {
        this.#context.progress(null);
        this.#context.out(`Unit ${name} ${said}${why === undefined ? "" : `: ${why}`}`);
      }
      this.#told.set(name, phase);
    }
    this.#roll = roll;
    const isOver = !["running", "undoing", "cancelling"].includes(roll.status);
    this.#context.progress(isOver ? null : `roll ${this.#id} ${roll.status}: ${countsText(roll)}`);
    return isOver ? roll : null;
  }

  async waitingFor(): Promise<string> {
    const roll = this.#roll;
    if (roll === null) return `Still waiting for roll ${this.#id}`;
    if (roll.why !== undefined) return `Roll ${this.#id} ${statusText(roll)}`;
    if (roll.units.every(({ phase }) => phase === "waiting"))
      return `Still waiting for roll ${this.#id} to be begun: is there an engine, of this version of fleet?`;
    const underWay = roll.units.filter(({ phase }) => ["stopping", "starting", "returning"].includes(phase));
    const names = underWay.slice(0, 3).map(({ name }) => name);
    const more = underWay.length > names.length ? `, and ${underWay.length - names.length} more` : "";
    const what = names.length === 0 ? "" : `: in progress are ${names.join(", ")}${more}`;
    return `Still waiting for roll ${this.#id}${what} (${countsText(roll)})`;
  }

  say(line: string): void {
    this.#context.progress(null);
    this.#context.err(line);
  }

  lookAgainMs(): number {
    return AGAIN_MS;
  }
}
