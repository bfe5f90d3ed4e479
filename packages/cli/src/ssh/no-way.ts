import type { Context } from "../context.ts";

/** The exit code of ssh's own failures. */
const SSH_FAILED = 255;

/** What helps where the API can't ask the machines, and SSH, which is used instead, does not reach them either. */
export class NoWay {
  readonly #context: Pick<Context, "err">;
  #isSaid: boolean;

  /** @param isAsked whether the user asked for SSH: nothing is said then */
  constructor(context: Pick<Context, "err">, isAsked: boolean) {
    this.#context = context;
    this.#isSaid = isAsked;
  }

  /** Says it, once. */
  say(): void {
    if (!this.#isSaid)
      this.#context.err(
        "The API has no link to its machines, and SSH failed: set link_listen in the fleet.conf of the API, or set up SSH as in docs/fleetctl.md.",
      );
    this.#isSaid = true;
  }

  /** Runs a command over SSH, and says it where ssh fails. Returns the exit code. */
  async around(run: () => Promise<number>): Promise<number> {
    try {
      const code = await run();
      if (code === SSH_FAILED) this.say();
      return code;
    } catch (error) {
      this.say();
      throw error;
    }
  }
}
