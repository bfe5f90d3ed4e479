/** Points between two effects at which a test may end the agent as a crash would. */
export type AgentFailpoint =
  | "agent.after-write"
  | "agent.after-load"
  | "agent.before-start"
  | "agent.after-start"
  | "agent.after-stop"
  | "agent.after-unload";
