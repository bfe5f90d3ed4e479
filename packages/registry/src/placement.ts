/** The placement of units on machines as the engine decides it, for tools that want to know what it would decide. */
export {
  ClusterModel,
  explainIn,
  explainPlacement,
  type Look,
  lookAt,
  MachineOrder,
  ModelFeed,
  type ModelUnit,
  type Placement,
  type ProposedMove,
  planRebalance,
  targetOf,
} from "@fleet/domain/placement";
