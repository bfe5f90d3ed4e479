import type { Command } from "../../command.ts";
import { completionScript, SHELLS } from "../../completion/scripts.ts";
import { CommandError } from "../../errors.ts";

export const completion: Command = {
  name: "completion",
  args: "<shell>",
  summary: "Print a script that completes fleetctl's commands in a shell",
  description: `Print a script for bash, zsh or fish that completes commands, flags, units and machines.

  bash: source <(fleetctl completion bash), in ~/.bashrc.
  zsh:  source <(fleetctl completion zsh), in ~/.zshrc after compinit.
  fish: fleetctl completion fish > ~/.config/fish/completions/fleetctl.fish`,
  flags: [],
  examples: ["fleetctl completion fish | source", "source <(fleetctl completion bash)"],
  completes: SHELLS,
  async run(context, [shell = ""]) {
    const script = completionScript(shell);
    if (script === null)
      throw new CommandError(`no completion for ${JSON.stringify(shell)}: expected ${SHELLS.join(", ")}`);
    context.write(script);
    return 0;
  },
};
