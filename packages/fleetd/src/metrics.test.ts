import { expect, it } from "vitest";
import { LoopDelay } from "./loop-delay.ts";
import { DaemonMetrics } from "./metrics.ts";

it("the metrics of the old fleet keep their names, and count", async () => {
  const metrics = new DaemonMetrics(() => true, new LoopDelay());
  metrics.onOperation("txn", 0.01, true);
  metrics.onOperation("range", 0.01, false);
  metrics.engine.onLeading(new Date(5000));
  metrics.engine.onReconciled(0.1, true);
  metrics.engine.onReconciled(0, false);
  metrics.engine.onTask("AttemptScheduleUnit", true);
  metrics.engine.onTask("UnscheduleUnit", false);
  metrics.onReloaded(false);
  const { text, contentType } = await metrics.text();
  expect(contentType).toContain("text/plain");
  for (const line of [
    "fleet_engine_leader_start_time 5",
    'fleet_engine_task_count_total{type="AttemptScheduleUnit"} 1',
    'fleet_engine_task_failure_count_total{type="UnscheduleUnit"} 1',
    "fleet_engine_reconcile_count_total 1",
    "fleet_engine_reconcile_failure_count_total 1",
    "fleet_engine_reconcile_duration_second_count 1",
    'fleet_registry_operation_count_total{Operation="txn"} 1',
    'fleet_registry_operation_failed_count_total{Operation="range"} 1',
    'fleet_registry_operation_duration_second_count{Operation="txn"} 1',
    "fleet_registry_healthy 1",
    "fleet_config_last_reload_successful 0",
    'fleet_event_loop_delay_seconds{quantile="1"} 0',
  ]) {
    expect(text).toContain(`${line}\n`);
  }
});
