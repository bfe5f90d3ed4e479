/** The engine: snapshot, plan, apply, under leadership. */
export { ENGINE_VERSION, type EngineObserver, type EngineOptions, type RunningEngine, startEngine } from "./engine.ts";
