import type { AnsweredRequest } from "@fleet/api";
import type { EngineObserver } from "@fleet/engine";
import type { EtcdSpace, OperationObserver } from "@fleet/registry";
import { Counter, Gauge, Histogram, Registry as Metrics } from "prom-client";
import type { RoleName } from "./arguments.ts";
import type { LoopDelay } from "./loop-delay.ts";
import { addGauge, addProcessMetrics } from "./process-metrics.ts";
import { addRequestMetrics } from "./request-metrics.ts";

/** The daemon's metrics. Those of the old fleet keep their names and labels. */
export class DaemonMetrics {
  readonly #metrics = new Metrics();
  readonly #operations: Counter<"Operation">;
  readonly #failedOperations: Counter<"Operation">;
  readonly #operationSeconds: Histogram<"Operation">;
  /** Null in a process without an engine, which knows nothing of the leader. */
  readonly engine: Omit<EngineObserver, "onUnits"> | null;
  readonly onOperation: OperationObserver;
  /** Called with the number of the API's sockets that other machines can reach without TLS. */
  readonly onListening: (exposed: number) => void;
  /** Called after each reload of the configuration, with whether it was taken over. */
  readonly onReloaded: (succeeded: boolean) => void;
  /** Called with each request that the API has answered. */
  readonly onAnswered: (request: AnsweredRequest) => void;

  constructor(isHealthy: () => boolean, loopDelay: LoopDelay, roles: readonly RoleName[]) {
    const registers = [this.#metrics];
    this.#operations = new Counter({
      name: "fleet_registry_operation_count_total",
      help: "Operations on the registry.",
      labelNames: ["Operation"],
      registers,
    });
    this.#failedOperations = new Counter({
      name: "fleet_registry_operation_failed_count_total",
      help: "Operations on the registry that failed.",
      labelNames: ["Operation"],
      registers,
    });
    this.#operationSeconds = new Histogram({
      name: "fleet_registry_operation_duration_second",
      help: "Seconds that operations on the registry took.",
      labelNames: ["Operation"],
      registers,
    });
    this.onOperation = (Operation, seconds, succeeded) => {
      this.#operations.inc({ Operation });
      if (succeeded) this.#operationSeconds.observe({ Operation }, seconds);
      else this.#failedOperations.inc({ Operation });
    };
    this.engine = roles.includes("engine") ? engineObserver(registers) : null;
    const exposed = new Gauge({
      name: "fleet_api_insecure_listeners",
      help: "TCP sockets of the API that are not on a loopback address and have no TLS.",
      registers,
    });
    this.onListening = (count) => exposed.set(count);
    const reloaded = new Gauge({
      name: "fleet_config_last_reload_successful",
      help: "1 while the last reload of the configuration was taken over, 0 while it was refused.",
      registers,
    });
    reloaded.set(1);
    this.onReloaded = (succeeded) => reloaded.set(succeeded ? 1 : 0);
    const gauge = (name: string, help: string, read: () => number): void => addGauge(this.#metrics, name, help, read);
    gauge("fleet_registry_healthy", "1 while etcd can be reached.", () => (isHealthy() ? 1 : 0));
    new Gauge({
      name: "fleet_event_loop_delay_seconds",
      help: "How long the process was not able to do anything else: quantiles since its start.",
      labelNames: ["quantile"],
      registers,
      collect() {
        for (const quantile of [0.5, 0.99, 1]) this.set({ quantile: String(quantile) }, loopDelay.seconds(quantile));
      },
    });
    addProcessMetrics(this.#metrics);
    this.onAnswered = addRequestMetrics(this.#metrics);
  }

  /** Shows how often mirrors have read everything anew, by why. */
  showReadAnew(read: () => readonly Readonly<Record<string, number>>[]): void {
    new Counter({
      name: "fleet_registry_read_anew_total",
      help: "How often a view of the registry was read anew: a watch had lost events, or etcd was restored.",
      labelNames: ["reason"],
      registers: [this.#metrics],
      collect() {
        this.reset();
        for (const counts of read()) for (const [reason, count] of Object.entries(counts)) this.inc({ reason }, count);
      },
    });
  }

  async text(): Promise<{ readonly contentType: string; readonly text: string }> {
    return { contentType: this.#metrics.contentType, text: await this.#metrics.metrics() };
  }
}

function engineObserver(registers: Metrics[]): Omit<EngineObserver, "onUnits"> {
  const leaderSince = new Gauge({
    name: "fleet_engine_leader_start_time",
    help: "Unix time at which this engine became leader; 0 while it is not.",
    registers,
  });
  const tasks = new Counter({
    name: "fleet_engine_task_count_total",
    help: "Decisions that were written.",
    labelNames: ["type"],
    registers,
  });
  const failedTasks = new Counter({
    name: "fleet_engine_task_failure_count_total",
    help: "Decisions that could not be written and are made anew.",
    labelNames: ["type"],
    registers,
  });
  const rounds = new Counter({
    name: "fleet_engine_reconcile_count_total",
    help: "Reconciliations that were completed.",
    registers,
  });
  const failedRounds = new Counter({
    name: "fleet_engine_reconcile_failure_count_total",
    help: "Reconciliations that failed.",
    registers,
  });
  const seconds = new Histogram({
    name: "fleet_engine_reconcile_duration_second",
    help: "Seconds that reconciliations took.",
    registers,
  });
  const space = spaceGauges(registers);
  return {
    onLeading: (startedAt) => {
      leaderSince.set(startedAt === null ? 0 : startedAt.getTime() / 1000);
      // Another engine tells from now on.
      if (startedAt === null) space.reset();
    },
    onSpace: space.show,
    onTask: (type, succeeded) => (succeeded ? tasks : failedTasks).inc({ type }),
    onReconciled: (took, succeeded) => {
      if (!succeeded) return failedRounds.inc();
      rounds.inc();
      seconds.observe(took);
    },
  };
}

/** How full etcd's members are, by the leading engine's word. */
function spaceGauges(registers: Metrics[]): { show(space: readonly EtcdSpace[]): void; reset(): void } {
  const gauge = (name: string, help: string): Gauge<"server"> =>
    new Gauge({ name, help, labelNames: ["server"], registers });
  const bytes = gauge(
    "fleet_etcd_database_bytes",
    "Size of the database of a member of etcd, by its own word; told by the leading engine.",
  );
  const quota = gauge("fleet_etcd_quota_bytes", "Quota of that database; 0: it has none.");
  const reset = (): void => {
    bytes.reset();
    quota.reset();
  };
  return {
    show: (space) => {
      reset();
      for (const { server, bytes: used, quotaBytes } of space) {
        bytes.set({ server }, used);
        quota.set({ server }, quotaBytes ?? 0);
      }
    },
    reset,
  };
}
