import type { Context } from "../context.ts";

/** The exit code of ssh's own failures. */
export const SSH_FAILED = 255;

/** Says what helps where the API can't ask the machines, and SSH, which is used instead, does not reach them either. */
export function sayNoWay(context: Pick<Context, "err">): void {
  context.err(
    "The API has no link to its machines, and SSH failed: set link_listen in the fleet.conf of the API, or set up SSH as in docs/fleetctl.md.",
  );
}
