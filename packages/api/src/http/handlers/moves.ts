import type { RebalanceRequest } from "@fleet/client";
import type { ClusterState } from "@fleet/domain/cluster";
import { ModelFeed, planRebalance } from "@fleet/domain/placement";
import { type Registry, requestMoves } from "@fleet/registry";
import type { UntilVisible } from "../read-your-writes.ts";
import type { Handlers } from "../routes.ts";
import { inTimeSlices } from "../time-slices.ts";

/** What the handlers are built from. */
export interface MoveDeps {
  readonly state: ClusterState;
  readonly registry: Registry;
  readonly untilVisible: UntilVisible;
}

/** Most moves of one rebalance, where the request does not say. */
const MOST_MOVES = 1000;

/** The handlers of operations on moves. */
export function moveHandlers(deps: MoveDeps): Pick<Handlers, "Moves.List" | "Moves.Rebalance"> {
  const { state, registry, untilVisible } = deps;
  return {
    "Moves.List": async (_request, reply) => {
      const moves = [...state.moves].sort(([a], [b]) => (a < b ? -1 : 1));
      const list = moves.map(([unit, { to, reason }]) => ({
        unit,
        from: state.units.get(unit)?.machineID ?? undefined,
        to,
        reason,
      }));
      return reply.send(JSON.stringify({ moves: list }));
    },
    "Moves.Rebalance": async (request, reply) => {
      const { dryRun = false, limit = 1, most = MOST_MOVES } = request.body as RebalanceRequest;
      const feed = new ModelFeed(state);
      await inTimeSlices(feed.load());
      const moves = await inTimeSlices(planRebalance(feed.model, most));
      const [first] = moves;
      if (!dryRun && first !== undefined) {
        const records = moves.map(({ unit, to, reason }) => ({ unit, to, limit, reason }));
        await untilVisible(registry.keys.move(first.unit), await requestMoves(registry.etcd, registry.keys, records));
      }
      return reply.send(JSON.stringify({ moves }));
    },
  };
}
