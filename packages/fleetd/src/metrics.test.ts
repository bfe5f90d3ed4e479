import { expect, it } from "vitest";
import { LoopDelay } from "./loop-delay.ts";
import { DaemonMetrics } from "./metrics.ts";

it("the metrics of the old fleet keep their names, and count", async () => {
  const metrics = new DaemonMetrics(() => true, new LoopDelay(), ["engine", "api"]);
  metrics.onOperation("txn", 0.01, true);
  metrics.onOperation("range", 0.01, false);
  metrics.engine?.onLeading(new Date(5000));
  metrics.engine?.onReconciled(0.1, true);
  metrics.engine?.onReconciled(0, false);
  metrics.engine?.onTask("AttemptScheduleUnit", true);
  metrics.engine?.onTask("UnscheduleUnit", false);
  metrics.onReloaded(false);
  metrics.onAnswered({
    method: "GET",
    url: "/metrics?x=1",
    status: 200,
    ms: 1.5,
    requestBytes: 7,
    responseBytes: 9,
  });
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
    "# TYPE process_cpu_seconds_total counter",
    "# TYPE process_start_time_seconds gauge",
    "# TYPE http_request_duration_microseconds summary",
    'http_requests_total{code="200",handler="prometheus",method="get"} 1',
    'http_request_duration_microseconds_sum{handler="prometheus"} 1500',
    'http_request_size_bytes_sum{handler="prometheus"} 7',
    'http_response_size_bytes_sum{handler="prometheus"} 9',
    "fleet_registry_healthy 1",
    "fleet_config_last_reload_successful 0",
    'fleet_event_loop_delay_seconds{quantile="1"} 0',
  ]) {
    expect(text).toContain(`${line}\n`);
  }
  for (const name of ["cpu_seconds_total", "open_fds", "max_fds", "resident_memory_bytes", "virtual_memory_bytes"])
    expect(text).toMatch(new RegExp(`^process_${name} [0-9.e+]+$`, "m"));
});

it("how full etcd is, is told while this engine leads", async () => {
  const metrics = new DaemonMetrics(() => true, new LoopDelay(), ["engine"]);
  const told = async (): Promise<string[]> =>
    (await metrics.text()).text.split("\n").filter((line) => line.startsWith("fleet_etcd_"));
  metrics.engine?.onSpace?.([
    { server: "http://a:2379", bytes: 7, quotaBytes: null },
    { server: "http://b:2379", bytes: 8, quotaBytes: 9 },
  ]);
  metrics.engine?.onSpace?.([{ server: "http://b:2379", bytes: 8, quotaBytes: 9 }]);
  expect(await told()).toEqual([
    'fleet_etcd_database_bytes{server="http://b:2379"} 8',
    'fleet_etcd_quota_bytes{server="http://b:2379"} 9',
  ]);
  metrics.engine?.onLeading(null);
  expect(await told()).toEqual([]);
});

it("a process without an engine says nothing of who leads", async () => {
  const metrics = new DaemonMetrics(() => true, new LoopDelay(), ["agent"]);
  const { text } = await metrics.text();
  expect(text).not.toContain("fleet_engine_");
  expect(text).toContain("fleet_registry_healthy 1");
});

it("how often the registry was read anew is a counter, of all views together", async () => {
  const metrics = new DaemonMetrics(() => true, new LoopDelay(), ["agent"]);
  metrics.showReadAnew(() => [{ restored: 1 }, { restored: 2, "events-lost": 0 }]);
  await metrics.text();
  const { text } = await metrics.text();
  expect(text).toContain("# TYPE fleet_registry_read_anew_total counter\n");
  expect(text).toContain('fleet_registry_read_anew_total{reason="restored"} 3\n');
});
