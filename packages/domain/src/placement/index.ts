/** Where units may be and are to be: rules, the model of a cluster, plans and explanations. Pure. */
export { ClusterModel, type ModelUnit, modelUnit } from "./cluster-model.ts";
export { conflicts, type GlobalUnit, globalsOn, type Neighbour } from "./conflicts.ts";
export {
  explainIn,
  explainPlacement,
  explainVersion,
  type Look,
  lookAt,
  type Placement,
  type Reason,
  reasonsAgainst,
  type Trouble,
} from "./explain.ts";
export { MachineOrder } from "./machine-order.ts";
export { meets, metadataFits, unmetBound, unmetMetadata } from "./metadata-fit.ts";
export { ModelFeed } from "./model-feed.ts";
export { CAUSES, type Decision, decide, eventOf, plan } from "./plan.ts";
export { type ProposedMove, planRebalance, targetOf } from "./rebalance.ts";
export { type MoveActivity, type Relocation, relocationsOf, staleMoves } from "./relocations.ts";
export { type PlacedUnit, pushes, type Surroundings, type Unfit, unfitOn, unfitText } from "./rules.ts";
export { graceUntil, type Silence, VanishedMachines } from "./vanished.ts";
export { explainWaiting, type Waiting, waitingText } from "./waiting.ts";
