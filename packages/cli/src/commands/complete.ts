import type { Command } from "../command.ts";
import { clusterNames, completionOf } from "../completion/complete.ts";
import { COMPLETE } from "../completion/scripts.ts";

/** What the shells' completion scripts ask. It is not for people, and never fails: there is nobody to tell. */
export const complete: Command = {
  name: COMPLETE,
  args: "[words...]",
  summary: "Complete a line for a shell",
  description: "Print what the last word of a line can become, one a line; `:files` for names of files.",
  flags: [],
  examples: [`fleetctl ${COMPLETE} -- list-u`],
  isHidden: true,
  takesRest: () => 0,
  async run(context, words) {
    const { COMMANDS } = await import("./index.ts");
    const completion = completionOf(words, COMMANDS);
    if (completion.kind === "files") context.out(":files");
    else if (completion.kind === "words") for (const word of completion.words) context.out(word);
    else {
      try {
        const names = await clusterNames(await context.client(), completion);
        for (const name of names) context.out(name);
        if (names.length === 0 && completion.what === "unit-or-file") context.out(":files");
      } catch {
        // Without a cluster there are no names to offer.
        if (completion.what === "unit-or-file") context.out(":files");
      }
    }
    return 0;
  },
};
