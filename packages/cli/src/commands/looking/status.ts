import type { UnitStatus } from "@fleet/client";
import { hasWildcards, parseUnitName } from "@fleet/domain/unit";
import type { ClusterClient, MachineInfo, StateInfo, UnitInfo } from "../../client/cluster-client.ts";
import { findStates } from "../../client/find.ts";
import { type Command, repeated } from "../../command.ts";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import { unitsToRead } from "../../journal/units.ts";
import { machineName } from "../../printing/machine-text.ts";
import { OUTPUT_FLAG, printJson, readOutput } from "../../printing/output.ts";
import { troubleText } from "../../printing/trouble-text.ts";
import { NoWay } from "../../ssh/no-way.ts";
import { runOn } from "../../ssh/run-on-machine.ts";
import { machineStatusLines } from "../../status/machine-text.ts";
import { exitCodeOf, unitStatusLines } from "../../status/unit-text.ts";
import { machinesLike, machinesNamed, onlyMachine } from "../../targets/machines.ts";
import { notLoaded } from "../../targets/not-loaded.ts";
import { hintFor, isGlobal, possibleUnitName, unitName } from "../../targets/units.ts";
import { usageOverSsh } from "../../usage/over-ssh.ts";
import { sayWhenLate } from "../../waiting/say-when-late.ts";

const DEFAULT_LINES = "10";
/** Fewer digits of a machine's ID are taken for the name of a unit. */
const LEAST_OF_ID = 4;

export const status: Command = {
  name: "status",
  isClassic: true,
  args: "[unit...]",
  usage: "<unit|machine...>",
  saidOfNone: "",
  isLook: true,
  summary: "Output the status of one or more units in the cluster",
  description: `Print what systemd says of units, as systemctl does: states, processes, tasks, memory, CPU time and the last lines of the
journal, on each of their machines. Units may be globs. Of a machine its load, memory, pressure and units are shown.

The API asks the machines. If it can't, for example without link_listen in its fleet.conf, "systemctl status -l" is run on
them, locally or over SSH. Problems of a unit are also printed on standard error. The exit code is systemctl's; for several
units it is the first one other than 0. Without operands nothing is printed, as ever.`,
  flags: [
    { flags: "-n, --lines <n>", description: "Lines of the journal to show with each unit", default: DEFAULT_LINES },
    { flags: "--machine <machine>", description: "Of a global unit: only on this machine", isRepeated: true },
    { flags: "--ssh", description: "Run systemctl over SSH even if the API can ask the machines" },
    { flags: "--ssh-port <port>", description: "Over SSH: port of the machines' SSH servers (default 22)" },
    { flags: "--no-block", description: "Accepted and without effect", isHidden: true },
    { flags: "-l, --full", description: "Accepted and without effect", isHidden: true },
    OUTPUT_FLAG,
  ],
  examples: [
    "fleetctl status foo.service",
    "fleetctl status 'web@*' --lines 3",
    "fleetctl status node1",
    "fleetctl status --output json web@{1..3}",
  ],
  completes: "machine-or-unit",
  async run(context, args, flags) {
    const isJson = readOutput(flags);
    const client = await context.client();
    const looker = new Looker(context, await knownMachines(client, args), readOptions(flags));
    const targets = await looker.find(args);
    if (isJson) {
      printJson(context, await Promise.all(targets.map((target) => looker.asJson(target))));
      return 0;
    }
    for (const target of targets) await looker.show(target);
    return looker.exitCode;
  },
};

interface LookOptions {
  readonly lines: number;
  /** As typed. */
  readonly machines: readonly string[];
  readonly isSsh: boolean;
  readonly sshPort: string | undefined;
}

function readOptions({ lines, machine, ssh, sshPort }: Readonly<Record<string, unknown>>): LookOptions {
  if (!/^\d{1,4}$/.test(String(lines)))
    throw new CommandError(`invalid --lines ${JSON.stringify(lines)}: expected a number from 0 to 9999`);
  return {
    lines: Number(lines),
    machines: repeated(machine),
    isSsh: ssh === true,
    sshPort: sshPort === undefined ? undefined : String(sshPort),
  };
}

type Target =
  | { readonly kind: "unit"; readonly unit: UnitInfo; readonly states: readonly StateInfo[] }
  | { readonly kind: "machine"; readonly machine: MachineInfo };

/** Shows one target after the other, and remembers how that went. */
class Looker {
  readonly #context: Context;
  readonly #machines: readonly MachineInfo[];
  readonly #byID: ReadonlyMap<string, MachineInfo>;
  readonly #options: LookOptions;
  readonly #statuses = new Map<string, Promise<readonly UnitStatus[] | null>>();
  readonly #noWay: NoWay;
  #exitCode = 0;
  #isFirst = true;

  constructor(context: Context, machines: readonly MachineInfo[], options: LookOptions) {
    this.#context = context;
    this.#machines = machines;
    this.#byID = new Map(machines.map((machine) => [machine.id, machine]));
    this.#options = options;
    this.#noWay = new NoWay(context, options.isSsh);
  }

  /** The first that was not 0. */
  get exitCode(): number {
    return this.#exitCode;
  }

  /**
   * What a user typed: units, and machines where no unit has that name. The machines of all units are asked then, so that one
   * that does not answer is waited for once.
   *
   * @throws CommandError for what is neither
   */
  async find(typed: readonly string[]): Promise<readonly Target[]> {
    const client = await this.#context.client();
    const words = [...new Set(typed)];
    const found = new Map<string, UnitInfo | MachineInfo>();
    for (const all of await Promise.all(words.map((word) => this.#meant(word))))
      for (const one of all) found.set("id" in one ? one.id : one.name, one);
    const names = [...found.values()].flatMap((one) => ("id" in one ? [] : [one.name]));
    this.#ask(names);
    const states = await findStates(client, names);
    return [...found.values()].map((one): Target => {
      if ("id" in one) return { kind: "machine", machine: one };
      return { kind: "unit", unit: one, states: states.filter(({ name }) => name === one.name) };
    });
  }

  /** What a word stands for. */
  async #meant(word: string): Promise<readonly (UnitInfo | MachineInfo)[]> {
    if (hasWildcards(word)) return (await unitsToRead(this.#context, [word])).units;
    return [(await this.#unit(word)) ?? onlyMachine(this.#machines, word)];
  }

  /** Has the machines of units say what is to be shown, all at a time; over SSH each is asked in its turn. */
  #ask(names: readonly string[]): void {
    if (this.#options.isSsh) return;
    // A failure is told where the answer is needed.
    for (const name of names) this.#statusesOf(name).catch(() => undefined);
  }

  /** Prints a target's status. */
  async show(target: Target): Promise<void> {
    if (target.kind === "machine") return this.#showMachine(target.machine);
    const { unit, states } = target;
    const here = machinesOf(this.#context, unit, states, this.#byID, this.#options.machines);
    const statuses = await this.#statusesOf(unit.name);
    for (const machine of here) {
      for (const state of states) {
        const trouble = state.machineID === machine.id ? troubleText(state) : null;
        if (trouble !== null)
          this.#context.err(`Unit ${unit.name} on ${machineName(machine.id, this.#byID)}: ${trouble}`);
      }
      if (statuses === null) {
        this.#part();
        this.#end(await this.#showOverSsh(unit, machine));
        continue;
      }
      const status = statuses.find(({ machineID }) => machineID === machine.id);
      this.#showStatus(unit, machine, status);
    }
  }

  /** A target's status for other programs. */
  async asJson(target: Target): Promise<unknown> {
    if (target.kind === "unit") {
      const { name, desiredState, currentState, machineID } = target.unit;
      const { states } = target;
      const status = await this.#statusesOf(name);
      const more = status === null ? {} : { status };
      return { unit: name, desiredState, currentState, machineID, global: isGlobal(target.unit), states, ...more };
    }
    const { id, primaryIP: ip, hostname, version, metadata, state } = target.machine;
    const usage = await this.#usageOf(target.machine);
    const units = await this.#unitsOf(id);
    return { machine: id, ip, hostname, version, metadata, state: state ?? "ready", usage, units };
  }

  async #unit(word: string): Promise<UnitInfo | null> {
    const isMachine = machinesLike(this.#machines, word).some(
      ({ id }) => word.length >= LEAST_OF_ID || !id.startsWith(word),
    );
    const name = isMachine ? possibleUnitName(word) : unitName(word);
    const unit = name === null ? null : await (await this.#context.client()).unit(name);
    if (unit !== null || isMachine) return unit;
    const hint = await hintFor(this.#context, name ?? word);
    const noMachine = hint === "" && name !== word ? ` No machine is called ${word} either.` : "";
    throw new CommandError(`Unit ${name} does not exist.${hint}${noMachine}`);
  }

  /** What the machines of a unit say of it; null: they can't be asked but over SSH. */
  #statusesOf(name: string): Promise<readonly UnitStatus[] | null> {
    const known = this.#statuses.get(name);
    if (known !== undefined) return known;
    const { isSsh, lines } = this.#options;
    const asked = isSsh
      ? Promise.resolve(null)
      : sayWhenLate(
          this.#context,
          this.#context.client().then((client) => client.unitStatus(name, lines)),
          `the machine of ${name} to answer, 10 s at most`,
        );
    this.#statuses.set(name, asked);
    return asked;
  }

  #showStatus(unit: UnitInfo, { id }: MachineInfo, status: UnitStatus | undefined): void {
    if (status === undefined || status.error !== undefined) {
      const why = status?.error ?? "the machine did not answer";
      this.#context.err(`Error: unit ${unit.name} on ${machineName(id, this.#byID)}: ${why}`);
      return this.#end(1);
    }
    const hasColors = this.#context.terminal?.hasColors === true;
    this.#part();
    this.#write(unitStatusLines(status, { hasColors, now: new Date() }));
    this.#end(exitCodeOf(status));
  }

  #showOverSsh(unit: UnitInfo, machine: MachineInfo): Promise<number> {
    const { lines, sshPort } = this.#options;
    const asked = String(lines) === DEFAULT_LINES ? [] : ["-n", String(lines)];
    const words = ["systemctl", "status", "-l", "--no-pager", ...asked, "--", unit.name];
    return this.#noWay.around(() => runOn(this.#context, machine, words, sshPort));
  }

  async #showMachine(machine: MachineInfo): Promise<void> {
    this.#part();
    const usage = await this.#usageOf(machine);
    const states = await this.#unitsOf(machine.id);
    this.#write(machineStatusLines(machine, usage, states, this.#context.terminal?.hasColors === true));
    this.#end(usage.error === undefined ? 0 : 1);
  }

  async #usageOf(machine: MachineInfo) {
    const { isSsh, sshPort } = this.#options;
    if (machine.state === "lost") return { machineID: machine.id, error: "not known: the machine is lost" };
    const name = machineName(machine.id, this.#byID);
    const asked = async () => (isSsh ? null : (await this.#context.client()).usage([machine.id]));
    const linked = await sayWhenLate(this.#context, asked(), `machine ${name} to answer, 10 s at most`);
    if (linked === null) {
      const usage = await usageOverSsh(this.#context, machine, sshPort);
      if (usage.error !== undefined) this.#noWay.say();
      return usage;
    }
    const sample = linked.find(({ machineID }) => machineID === machine.id);
    return sample ?? { machineID: machine.id, error: "the machine did not answer" };
  }

  async #unitsOf(id: string): Promise<readonly StateInfo[]> {
    return (await (await this.#context.client()).states()).filter(({ machineID }) => machineID === id);
  }

  #write(lines: readonly string[]): void {
    this.#context.write(lines.map((line) => `${line}\n`).join(""));
  }

  #part(): void {
    if (!this.#isFirst) this.#context.out("");
    this.#isFirst = false;
  }

  #end(code: number): void {
    if (this.#exitCode === 0) this.#exitCode = code;
  }
}

/** The machines of the cluster; those that are lost, too, where a word is none of the others. */
async function knownMachines(client: ClusterClient, typed: readonly string[]): Promise<readonly MachineInfo[]> {
  const machines = await client.machines();
  if (typed.every((word) => parseUnitName(word) !== null || machinesLike(machines, word).length > 0)) return machines;
  return [...machines, ...(await client.lostMachines())];
}

/** The machines on which there is something to show of a unit. */
function machinesOf(
  context: Context,
  unit: UnitInfo,
  states: readonly StateInfo[],
  machines: ReadonlyMap<string, MachineInfo>,
  asked: readonly string[],
): readonly MachineInfo[] {
  const here = states.flatMap((state) => machines.get(state.machineID) ?? []);
  if (isGlobal(unit)) {
    if (here.length === 0) throw notLoadedThere(context, unit, states, machines);
    return asked.length === 0 ? here : machinesNamed(here, asked);
  }
  const machine = here.find(({ id }) => id === unit.machineID);
  if (machine === undefined || unit.currentState === "inactive") throw notLoadedThere(context, unit, states, machines);
  return [machine];
}

function notLoadedThere(
  context: Context,
  { name, machineID }: UnitInfo,
  states: readonly StateInfo[],
  machines: ReadonlyMap<string, MachineInfo>,
): CommandError {
  const error = states.find((state) => state.error !== null && (machineID === null || state.machineID === machineID));
  return error === undefined
    ? notLoaded(context, name)
    : notLoaded(context, name, `machine ${machineName(error.machineID, machines)} failed to load it: ${error.error}`);
}
