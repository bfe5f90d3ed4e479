import type { ClusterClient, UnitVersion } from "../../client/cluster-client.ts";
import type { Command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import { type Columns, listFlags, printList, readListOptions } from "../../printing/list.ts";
import { hintFor, unitName } from "../../targets/units.ts";

const FIELDS = "version,time,by,hash,message";
const HASH_DIGITS = 7;

const COLUMNS: Columns<UnitVersion> = {
  version: ({ number, kind, current }) =>
    kind === "destroyed" ? "destroyed" : `${number}${current === true ? "*" : ""}`,
  time: ({ time }) => time,
  by: ({ by }) => by ?? "",
  hash: ({ hash }, full) => (full ? hash : hash.slice(0, HASH_DIGITS)),
  message: ({ message }) => message ?? "",
};

export const history: Command = {
  name: "history",
  args: "<unit>",
  summary: "Show the versions of a unit: when, by whom, why",
  description: `List the versions of a unit's file, newest first; the current one is marked with *. The last ten are kept, and those of a
destroyed unit for a day.

Fields: version, time, by (who asked for it, as the server knows them), hash, message (from --message).`,
  flags: [{ flags: "-p, --patch", description: "Show what each version changed, oldest first" }, ...listFlags(FIELDS)],
  examples: ["fleetctl history web.service", "fleetctl history -p web.service", "fleetctl history -o json web.service"],
  completes: "unit",
  async run(context, [typed = ""], flags) {
    const options = readListOptions(COLUMNS, flags);
    const name = unitName(typed);
    const versions = await versionsOf(context, name);
    if (flags.patch === true && !options.isJson) await printPatches(context, name, versions);
    else printList(context, COLUMNS, versions, options, (version) => version);
    return 0;
  },
};

/**
 * The versions that a unit has had, the newest first.
 *
 * @throws CommandError where nothing is known of the unit
 */
export async function versionsOf(context: Context, name: string): Promise<readonly UnitVersion[]> {
  const client = await context.client();
  const versions = await client.versions(name);
  if (versions !== null && versions.length > 0) return versions;
  if (versions !== null || (await client.unit(name)) !== null)
    throw new CommandError(
      `nothing is known of the history of ${name}: it was submitted by, or to, an older version of fleet`,
    );
  throw new CommandError(
    `Unit ${name} does not exist, and did not within the last day.${await hintFor(context, name)}`,
  );
}

/**
 * The text of a version of a unit.
 *
 * @throws CommandError where it is not kept
 */
export async function textOf(client: ClusterClient, name: string, number: number): Promise<string> {
  const text = await client.versionText(name, number);
  if (text !== null) return text;
  throw new CommandError(`version ${number} of ${name} is not known: "fleetctl history ${name}" lists those that are`);
}

/** Reads the number of a version that a user typed. */
export function readVersionNumber(flag: string, typed: unknown): number {
  const text = String(typed);
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new CommandError(
    `invalid ${flag} ${JSON.stringify(text)}: expected the number of a version, as "fleetctl history" lists`,
  );
}

async function printPatches(context: Context, name: string, versions: readonly UnitVersion[]): Promise<void> {
  // A diff library is not read for what shows none.
  const { patchOf } = await import("./patch.ts");
  const client = await context.client();
  let before: { readonly label: string; readonly text: string } | null = null;
  for (const version of versions.toReversed()) {
    const { kind, number, time, by, message } = version;
    context.out(
      [kind === "destroyed" ? `destroyed ${time}` : `version ${number} ${time}`, by, message]
        .filter(Boolean)
        .join(" | "),
    );
    if (kind === "destroyed") continue;
    const after = { label: `version ${number}`, text: await textOf(client, name, number) };
    context.write(patchOf(name, before, after, context.terminal?.hasColors === true));
    before = after;
  }
}
