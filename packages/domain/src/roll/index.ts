/** Rolling changes: many units, a few at a time. Pure. */
export { ROLL_LIMITS, type RollView } from "./look.ts";
export { afterOrder, isRollOrder, ROLL_ORDERS, type RollOrder } from "./orders.ts";
export { type AskedRoll, type PlannedRoll, planRoll } from "./plan.ts";
export {
  begun,
  decodeRoll,
  decodeRollProgress,
  encodeRoll,
  encodeRollProgress,
  isOver,
  MOST_ROLL_UNITS,
  type RollProgress,
  type RollRecord,
  type RollStatus,
  type RollUnit,
  type TextRef,
  type UnitPhase,
} from "./records.ts";
export { NO_MEMORY, type RollMemory, type RollStep, type RollWrite, stepRoll } from "./step.ts";
export { type ToldRoll, tellRoll } from "./tell.ts";
