import type { ClusterState, Keys } from "@fleet/domain/cluster";
import { ModelFeed, type ProposedMove, planRebalance } from "@fleet/domain/placement";
import type { Etcd } from "./etcd.ts";
import { requestMoves } from "./maintenance.ts";

/** How many moves a rebalance has where nobody says how many. */
export const DEFAULT_MOST_MOVES = 1000;

/**
 * Plans the moves that make a cluster more even, or meet more preferences, as it stands. Yields now and then, for it looks
 * at every unit; what is mirrored may change meanwhile, and the engine looks at each move anew.
 *
 * @param most how many moves at most
 */
export function* planMoves(
  state: ClusterState,
  most: number = DEFAULT_MOST_MOVES,
): Generator<void, readonly ProposedMove[]> {
  const feed = new ModelFeed(state);
  yield* feed.load();
  return yield* planRebalance(feed.model, most);
}

/**
 * Asks the engine for the moves of a rebalance.
 *
 * @param limit how many of them may be on their way at a time
 * @returns the etcd revision that holds them all; 0 where there are no moves
 */
export function requestRebalance(
  etcd: Etcd,
  keys: Keys,
  moves: readonly ProposedMove[],
  limit: number,
): Promise<number> {
  const records = moves.map(({ unit, to, reason }) => ({ unit, to, limit, reason }));
  return requestMoves(etcd, keys, records);
}
