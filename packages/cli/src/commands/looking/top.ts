import type { UsageSample } from "@fleet/client";
import type { UsageRequest } from "../../client/cluster-client.ts";
import { type Command, repeated } from "../../command.ts";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import { OUTPUT_FLAG, printJson, readOutput } from "../../printing/output.ts";
import { NoWay } from "../../ssh/no-way.ts";
import { machinesNamed } from "../../targets/machines.ts";
import { nameMatches, patternOf } from "../../targets/unit-patterns.ts";
import { renderOnce } from "../../top/render.ts";
import { showLive } from "../../top/top.ts";
import { type Usage, UsageBook } from "../../top/usage.ts";
import { FIRST_VIEW, rowsOf, SORT_KEYS, type SortKey, type View } from "../../top/view.ts";
import { watchUsageOverSsh } from "../../usage/over-ssh.ts";
import { sayWhenLate } from "../../waiting/say-when-late.ts";

/** Between the two samples that a single look makes its rates of. */
const ONCE_MS = 400;
/** How wide a single look is where it goes to no terminal. */
const PIPE_COLUMNS = 120;

export const top: Command = {
  name: "top",
  args: "[unit...]",
  isLook: true,
  summary: "Show the resource usage of machines and units: CPU, memory, tasks, IO",
  description: `Show the resource usage of machines and of fleet's units on them: CPU in percent of one core, memory, tasks, and bytes
read and written per second; of machines also load, and pressure: the percentage of the last 10 s in which tasks waited.
Units may be globs. "-" stands for what systemd does not account, as memory where a container has no memory controller.
Nothing is collected while nobody looks.

On a terminal it is updated until q is pressed. Keys: c, m, t, i, n sort by CPU, memory, tasks, IO, name; the same key again or
r reverses; / filters by name; tab changes between units and machines; enter on a machine shows its units only;
esc shows all again.

The API asks the machines. If it can't, for example without link_listen in its fleet.conf, or with --ssh, the figures are
read over SSH.`,
  flags: [
    { flags: "--once", description: "Print once and exit; default if standard output is not a terminal" },
    { flags: "-d, --delay <seconds>", description: "Time between updates", default: "2" },
    { flags: "-s, --sort <key>", description: `Sort by ${SORT_KEYS.join(", ")}`, default: "cpu", values: SORT_KEYS },
    { flags: "--machine <machine>", description: "Only this machine", isRepeated: true },
    { flags: "--ssh", description: "Read the figures over SSH even if the API can ask the machines" },
    { flags: "--ssh-port <port>", description: "Over SSH: port of the machines' SSH servers (default 22)" },
    { ...OUTPUT_FLAG, description: "text, or json: once, with all figures" },
  ],
  examples: ["fleetctl top", "fleetctl top --once --sort memory 'web@*'", "fleetctl top -o json --machine node1"],
  completes: "unit",
  async run(context, args, flags) {
    const isJson = readOutput(flags);
    const view: View = { ...FIRST_VIEW, sort: readSort(String(flags.sort)) };
    const intervalMs = readDelay(String(flags.delay));
    const client = await context.client();
    const named = repeated(flags.machine);
    const machines =
      named.length === 0 ? [] : machinesNamed(await client.machines(), named).map((machine) => machine.id);
    const isOnce = isJson || flags.once === true || context.openScreen === null;
    const request = {
      ...{ machines, ...(isOnce ? { intervalMs: ONCE_MS, count: 2 } : { intervalMs, count: 0 }) },
      ...{ isSsh: flags.ssh === true, sshPort: flags.sshPort === undefined ? undefined : String(flags.sshPort) },
    };
    const book = new UsageBook(ofUnits(args));
    if (isOnce) {
      const usage = rowsOf(await lookOnce(context, request, book), view);
      if (isJson) printJson(context, usage);
      else for (const line of renderOnce(usage, PIPE_COLUMNS)) context.out(line);
      return usage.machines.some(({ error }) => error === null) ? 0 : 1;
    }
    await live(context, request, book, view);
    return 0;
  },
};

/** What is asked for, and how. */
interface TopRequest extends UsageRequest {
  readonly isSsh: boolean;
  readonly sshPort: string | undefined;
}

async function lookOnce(context: Context, request: TopRequest, book: UsageBook): Promise<Usage> {
  const all = async (): Promise<void> => {
    for await (const sample of await samplesOf(context, request, context.signal)) book.add(sample);
  };
  await sayWhenLate(context, all(), "every machine to answer");
  return book.usage();
}

async function live(context: Context, request: TopRequest, book: UsageBook, view: View): Promise<void> {
  const ended = new AbortController();
  // It is asked for before the screen is taken over: an error is then said where the user sees it.
  const until = AbortSignal.any([ended.signal, context.signal]);
  const samples = await sayWhenLate(context, samplesOf(context, request, until), "every machine to answer");
  const screen = context.openScreen?.();
  if (screen == null) throw new CommandError("standard input or output is not a terminal: use --once");
  try {
    await showLive({ samples, screen, book, view, hasColors: context.terminal?.hasColors === true }, () =>
      ended.abort(),
    );
  } finally {
    screen.close();
  }
}

async function samplesOf(
  context: Context,
  { isSsh, sshPort, ...request }: TopRequest,
  signal: AbortSignal,
): Promise<AsyncIterable<UsageSample>> {
  const client = await context.client();
  const linked = isSsh ? null : await client.watchUsage(request, signal);
  if (linked !== null) return linked;
  const asked = new Set(request.machines);
  const machines = (await client.machines()).filter(({ id }) => asked.size === 0 || asked.has(id));
  const samples = await watchUsageOverSsh(context, machines, { ...request, sshPort, signal });
  return isSsh || request.count === 0 ? samples : withNoWay(context, samples);
}

/** The same samples; at their end it is said what helps where SSH failed. */
async function* withNoWay(context: Context, samples: AsyncIterable<UsageSample>): AsyncGenerator<UsageSample> {
  let hasFailed = false;
  for await (const sample of samples) {
    hasFailed ||= sample.error !== undefined;
    yield sample;
  }
  if (hasFailed) new NoWay(context, false).say();
}

/** Whether a unit is asked for. */
function ofUnits(typed: readonly string[]): (name: string) => boolean {
  const patterns = typed.map(patternOf);
  return (name) => patterns.length === 0 || patterns.some((pattern) => nameMatches(pattern, name));
}

function readSort(text: string): SortKey {
  const key = SORT_KEYS.find((entry) => entry === text);
  if (key !== undefined) return key;
  throw new CommandError(`invalid --sort ${JSON.stringify(text)}: expected one of ${SORT_KEYS.join(", ")}`);
}

function readDelay(text: string): number {
  const seconds = Number(text);
  if (/^\d{1,4}(\.\d{1,3})?$/.test(text) && seconds >= 0.5 && seconds <= 60) return seconds * 1000;
  throw new CommandError(`invalid --delay ${JSON.stringify(text)}: expected seconds, 0.5 to 60`);
}
