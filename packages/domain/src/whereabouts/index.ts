/** Where a unit is, how that changes, and what its machines are told. Pure. */
export { canChange, change, ImpossibleChangeError, type WhereaboutsEvent } from "./change.ts";
export { hasEnded, recordAfter, sameEnd, staleEnded } from "./ended.ts";
export {
  isHeld,
  MOVE_LIMITS,
  type Move,
  type MovePhase,
  type MoveStep,
  type MoveView,
  stepMove,
} from "./move.ts";
export { recordOps, scheduleOps } from "./schedule-ops.ts";
export {
  firstChoice,
  type Leaving,
  lastOf,
  type Moving,
  NOWHERE,
  type Nowhere,
  type Placed,
  placesOf,
  sameWhereabouts,
  scheduledTo,
  type Whereabouts,
} from "./whereabouts.ts";
