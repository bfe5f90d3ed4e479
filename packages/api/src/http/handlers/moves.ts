import type { RebalanceRequest } from "@fleet/client";
import { type ClusterState, unitOf } from "@fleet/domain/cluster";
import { DEFAULT_MOST_MOVES, planMoves, type Registry, requestRebalance } from "@fleet/registry";
import type { UntilVisible } from "../read-your-writes.ts";
import type { Handlers } from "../routes.ts";
import { inTimeSlices } from "../time-slices.ts";

/** What the handlers are built from. */
export interface MoveDeps {
  readonly state: ClusterState;
  readonly registry: Registry;
  readonly untilVisible: UntilVisible;
}

/** The handlers of operations on moves. */
export function moveHandlers(deps: MoveDeps): Pick<Handlers, "Moves.List" | "Moves.Rebalance"> {
  const { state, registry, untilVisible } = deps;
  return {
    "Moves.List": async (_request, reply) => {
      const moves = [...state.moves].sort(([a], [b]) => (a < b ? -1 : 1));
      const list = moves.map(([unit, { to, reason }]) => ({
        unit,
        from: unitOf(state, unit)?.machineID ?? undefined,
        to,
        reason,
      }));
      return reply.send(JSON.stringify({ moves: list }));
    },
    "Moves.Rebalance": async (request, reply) => {
      const { dryRun = false, limit = 1, most = DEFAULT_MOST_MOVES } = request.body as RebalanceRequest;
      const moves = await inTimeSlices(planMoves(state, most));
      const [first] = moves;
      if (!dryRun && first !== undefined) {
        const revision = await requestRebalance(registry.etcd, registry.keys, moves, limit);
        await untilVisible(registry.keys.move(first.unit), revision);
      }
      return reply.send(JSON.stringify({ moves }));
    },
  };
}
