/**
 * The placement of units on machines as the engine decides it: a model of the cluster with its indexes, for the engine
 * and for whoever wants to know what it would decide.
 */
export { ClusterModel, type ModelUnit } from "./cluster-model.ts";
export { explainIn, explainPlacement, type Look, lookAt, type Placement } from "./explain-placement.ts";
export { MachineOrder } from "./machine-order.ts";
export { ModelFeed } from "./model-feed.ts";
export { type Move, planRebalance, targetOf } from "./relocate.ts";
