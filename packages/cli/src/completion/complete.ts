import type { ClusterClient } from "../client/cluster-client.ts";
import type { Command, FlagSpec } from "../command.ts";
import { camelCase, DEPRECATED_FLAGS, GLOBAL_FLAGS } from "../command-line/global-flags.ts";

/** What a line is to be completed with. */
export type Completion =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "files" }
  /** Names that the cluster knows. */
  | {
      readonly kind: "cluster";
      readonly what: "unit" | "unit-or-file" | "machine" | "machine-or-unit";
      readonly begin: string;
    };

interface Flag {
  readonly names: readonly string[];
  readonly takesValue: boolean;
  readonly values?: readonly string[];
}

/**
 * What the last word of a line can become.
 *
 * @param words the line without the program's name; the last word is unfinished, maybe empty
 */
export function completionOf(words: readonly string[], commands: readonly Command[]): Completion {
  const last = words.at(-1) ?? "";
  const globals = [
    ...GLOBAL_FLAGS.map(({ name, value }) => ({ names: [`--${name}`], takesValue: value !== null })),
    ...DEPRECATED_FLAGS.map(({ flags }) => readFlag({ flags, description: "" })),
    { names: ["--help", "-h", "--version"], takesValue: false },
  ];
  let command: Command | undefined;
  let previous: Flag | undefined;
  // A command's own flag goes before a global one of its name.
  const known = (): readonly Flag[] => [...(command?.flags ?? []).map(readFlag), ...globals];
  for (const word of words.slice(0, -1)) {
    if (previous !== undefined) previous = undefined;
    else if (word.startsWith("-")) {
      const flag = known().find(({ names }) => names.includes(word));
      if (flag?.takesValue === true) previous = flag;
    } else command ??= commandOf(word, commands);
  }
  if (previous !== undefined) return flagValue(previous, last);
  if (last.startsWith("-")) {
    const names = known()
      .filter(({ names: [first] }) => !DEPRECATED_FLAGS.some(({ flags }) => flags.startsWith(first ?? "-")))
      .flatMap(({ names }) => names);
    return beginning(names, last);
  }
  if (command === undefined) {
    const names = commands
      .filter(({ isHidden }) => isHidden !== true)
      .flatMap(({ name, aliases = [] }) => [name, ...aliases]);
    return beginning([...names, "help", "version"].sort(), last);
  }
  const { completes } = command;
  if (completes === undefined) return { kind: "words", words: [] };
  if (completes === "file") return { kind: "files" };
  return typeof completes === "string" ? { kind: "cluster", what: completes, begin: last } : beginning(completes, last);
}

/** The names of the cluster that a word can become. */
export async function clusterNames(
  client: ClusterClient,
  { what, begin }: Extract<Completion, { kind: "cluster" }>,
): Promise<readonly string[]> {
  const units = what === "machine" ? [] : (await client.units()).map(({ name }) => name);
  const machines = what === "unit" ? [] : await client.machines();
  // Those that are away can be uncordoned and forgotten.
  const lost = what === "machine" ? await client.lostMachines() : [];
  const names = [...machines, ...lost].flatMap(({ id, hostname }) => [id, hostname ?? []].flat());
  return [...units, ...names].filter((name) => name.startsWith(begin));
}

/** The command that a word stands for: its name, or a beginning that is no other's. */
function commandOf(word: string, commands: readonly Command[]): Command | undefined {
  const found = commands.filter(({ name, isHidden }) => name === word || (isHidden !== true && name.startsWith(word)));
  const whole = commands.find(({ name, aliases }) => name === word || aliases?.includes(word) === true);
  return whole ?? (found.length === 1 ? found[0] : undefined);
}

/** The global flags that a line has already, by the names that readGlobalFlags takes. */
export function globalFlagsOf(words: readonly string[]): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [index, word] of words.entries()) {
    const [, name = "", value] = /^--([a-z-]+)(?:=(.*))?$/.exec(word) ?? [];
    const spec = GLOBAL_FLAGS.find((flag) => flag.name === name);
    if (spec === undefined) continue;
    const given = value ?? (spec.value === null ? "true" : (words[index + 1] ?? ""));
    found[camelCase(name)] = given;
  }
  return found;
}

function flagValue({ names, values }: Flag, begin: string): Completion {
  if (values !== undefined) return beginning(values, begin);
  if (names.some((name) => name.endsWith("file"))) return { kind: "files" };
  if (names.includes("--machine")) return { kind: "cluster", what: "machine", begin };
  if (names.includes("--unit")) return { kind: "cluster", what: "unit", begin };
  if (names.includes("--driver")) return beginning(["API", "etcd"], begin);
  return { kind: "words", words: [] };
}

function beginning(names: readonly string[], begin: string): Completion {
  return { kind: "words", words: names.filter((name) => name.startsWith(begin)) };
}

function readFlag({ flags, values }: FlagSpec): Flag {
  const names = flags.split(/[ ,]+/).filter((word) => word.startsWith("-"));
  return { names, takesValue: flags.includes("<"), ...(values === undefined ? {} : { values }) };
}
