import type { Command } from "../../command.ts";
import { type Completion, clusterNames, completionOf, globalFlagsOf } from "../../completion/complete.ts";
import { COMPLETE } from "../../completion/scripts.ts";
import type { Context } from "../../context.ts";

/** Somebody sits and waits for the next character. */
const MOST_MS = 500;

/**
 * What the shells' completion scripts ask. It is not for people, and never fails: there is nobody to tell.
 *
 * @param commands every command, this one too
 */
export const complete = (commands: () => readonly Command[]): Command => ({
  name: COMPLETE,
  args: "[words...]",
  summary: "Complete a line for a shell",
  description: "Print what the last word of a line can become, one a line; `:files` for names of files.",
  flags: [],
  examples: [`fleetctl ${COMPLETE} -- list-u`],
  isHidden: true,
  takesRest: () => 0,
  async run(context, words) {
    const completion = completionOf(words, commands());
    if (completion.kind === "files") context.out(":files");
    else if (completion.kind === "words") for (const word of completion.words) context.out(word);
    else {
      try {
        const names = await namesWithin(context, words, completion);
        for (const name of names) context.out(name);
        if (names.length === 0 && completion.what === "unit-or-file") context.out(":files");
      } catch {
        // Without a cluster there are no names to offer.
        if (completion.what === "unit-or-file") context.out(":files");
      }
    }
    return 0;
  },
});

async function namesWithin(
  context: Context,
  words: readonly string[],
  completion: Extract<Completion, { kind: "cluster" }>,
): Promise<readonly string[]> {
  const flags = context.flagsOf(globalFlagsOf(words));
  // A question for a password or a host key has no place in the middle of a line.
  if (flags.ssh.tunnel !== null) return [];
  const { connect } = await import("../../client/connect.ts");
  const client = await connect({ ...flags, requestTimeoutMs: Math.min(flags.requestTimeoutMs, MOST_MS) }, context.ssh);
  try {
    return await clusterNames(client, completion);
  } finally {
    client.close();
  }
}
