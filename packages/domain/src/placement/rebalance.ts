import { NOWHERE } from "../whereabouts/whereabouts.ts";
import type { ClusterModel, ModelUnit } from "./cluster-model.ts";

/** A move that would make the cluster better. Asked for, it is a MoveRecord; the engine carries it out as a Relocation. */
export interface ProposedMove {
  readonly unit: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

/**
 * Where a unit would go if it had to leave its machine; null: nowhere.
 *
 * @param preferred taken where the unit fits it
 */
export function targetOf(model: ClusterModel, unit: ModelUnit, preferred: string | null = null): string | null {
  const unplaced: ModelUnit = { ...unit, on: null, record: { ...unit.record, whereabouts: NOWHERE } };
  if (preferred !== null && preferred !== unit.on && model.unfit(unplaced, preferred) === null) return preferred;
  const to = model.choose(unplaced);
  return to === unit.on ? null : to;
}

/**
 * Moves that make the cluster more even, or meet more preferences: each by itself makes it better, in the order given.
 * Yields now and then, for it looks at every unit. Units that stay (`Stay=`), are pinned, follow others, or push others
 * away are left where they are. The model holds the result afterwards.
 *
 * @param most how many moves at most
 */
export function* planRebalance(model: ClusterModel, most: number): Generator<void, readonly ProposedMove[]> {
  const moves: ProposedMove[] = [];
  const moved = new Set<string>();
  // The heaviest machines give first; a pass without a move is the end.
  for (let isChanged = true; isChanged && moves.length < most; ) {
    isChanged = false;
    for (const id of [...model.order].reverse()) {
      for (const name of model.unitsOn(id)) {
        const unit = model.units.get(name);
        if (unit === undefined || moved.has(name) || !mayMove(unit)) continue;
        yield;
        const move = improvement(model, unit, id);
        if (move === null) continue;
        model.assume(unit, { kind: "place", on: move.to });
        moved.add(name);
        moves.push(move);
        isChanged = true;
        if (moves.length >= most) return moves;
      }
    }
  }
  return moves;
}

function mayMove({ isWanted, requirements, record }: ModelUnit): boolean {
  if (record.whereabouts.kind === "moving") return false;
  const { stay, machineID, machineOf, replaces } = requirements;
  return isWanted && !stay && machineID === null && machineOf.length === 0 && replaces.length === 0;
}

function improvement(model: ClusterModel, unit: ModelUnit, from: string): ProposedMove | null {
  const to = targetOf(model, unit);
  if (to === null) return null;
  const here = model.score(unit, from);
  const there = model.score(unit, to);
  const soft = here.slice(0, -1).map((value, index) => value - (there[index] ?? 0));
  const first = soft.find((difference) => difference !== 0) ?? 0;
  if (first < 0) return null;
  const [gain, loss] = [model.loadOf(from), model.loadOf(to) + unit.requirements.weight];
  if (first > 0) return { unit: unit.name, from, to, reason: "the machine is what the unit prefers" };
  if (loss >= gain) return null;
  return {
    unit: unit.name,
    from,
    to,
    reason: `the load evens out: ${gain} there, ${loss - unit.requirements.weight} here`,
  };
}
