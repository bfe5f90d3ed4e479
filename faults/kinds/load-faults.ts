import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { FleetApi, FleetApiError } from "@fleet/client";
import { parseUnitFile } from "@fleet/registry";
import { type Fault, lasting, on, servicesOn, type Target } from "../target.ts";
import { UnitBurst } from "../unit-burst.ts";

const LARGE = { size: 40, bytes: 250_000 };
const SILENT = { connections: 8_192, atATime: 128 };
const VIEWERS = { count: 200, globs: 64 };
const FLAPPING = 20;
const CONDITIONS = 5_000;
/** A host with an API of this version: an earlier one does not bear what these faults do to it. */
const THIS_VERSION = 1;
/** An API that is burdened answers within this time, or the burden was too much for it. */
const ANSWER_MS = 15_000;

/** Of what costs fleet much; docs/reliability.md says what they do. */
export const LOAD_FAULTS: Readonly<Record<string, Fault>> = {
  "large texts": async (target) => {
    const { traffic, history } = target;
    const fill = Array.from({ length: LARGE.bytes / 1_000 }, (_, index) => `Environment=V${index}=${"x".repeat(980)}`);
    const text = `[Service]\nExecStart=/bin/true\n${fill.join("\n")}\n`;
    const burst = new UnitBurst(traffic, history, { kind: "large", size: LARGE.size, text, desiredState: "inactive" });
    await burst.submit();
    const host = THIS_VERSION;
    await on(target, host, `systemctl restart ${servicesOn(host)}`);
    await answers(target, host, `after its restart with ${LARGE.size} units of ${LARGE.bytes / 1000} kB`);
    await burst.destroy();
    return `${LARGE.size} units of ${LARGE.bytes / 1000} kB, and h${host}'s daemons restarted`;
  },
  "silent connections": async (target) => {
    const host = THIS_VERSION;
    const { hostname, port } = new URL(target.cluster.cluster.endpoint(host));
    const sockets: Socket[] = [];
    try {
      while (sockets.length < SILENT.connections) {
        const opened = Array.from({ length: SILENT.atATime }, () => connect({ host: hostname, port: Number(port) }));
        for (const socket of opened) socket.on("error", () => undefined);
        sockets.push(...opened);
        await Promise.race([Promise.allSettled(opened.map((socket) => once(socket, "connect"))), sleep(1_000)]);
      }
      await answers(target, host, `beside ${sockets.length} silent connections`);
      await lasting(target, 2, 6);
      await answers(target, host, `beside ${sockets.length} connections that stay silent`);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
    return `${sockets.length} silent connections to h${host}'s API`;
  },
  "viewers with globs": async (target) => {
    const host = THIS_VERSION;
    const api = new FleetApi({ endpoint: target.cluster.cluster.endpoint(host), timeoutMs: 5_000 });
    const stopping = new AbortController();
    const units = Array.from({ length: VIEWERS.globs }, (_, index) => `*[a-z]*-*${index}*.s?rvice`);
    try {
      const viewers = Array.from({ length: VIEWERS.count }, () => view(api, units, stopping.signal));
      await lasting(target, 4, 8);
      await answers(target, host, `beside ${VIEWERS.count} viewers with ${VIEWERS.globs} globs each`);
      stopping.abort();
      await Promise.all(viewers);
    } finally {
      stopping.abort();
      api.close();
    }
    return `${VIEWERS.count} viewers of events with ${VIEWERS.globs} globs each at h${host}'s API`;
  },
  "flapping units": async (target) => {
    const { traffic, history, watch } = target;
    const text =
      "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sleep 0.1\nRestart=always\nRestartSec=100ms\n";
    const burst = new UnitBurst(traffic, history, { kind: "flap", size: FLAPPING, text, desiredState: "launched" });
    await burst.submit();
    const [revision, startedAt] = [watch.revision, performance.now()];
    await lasting(target, 5, 12);
    const rate = (1000 * (watch.revision - revision)) / (performance.now() - startedAt);
    await burst.destroy();
    return `${FLAPPING} units flapped, at ${rate.toFixed(1)} revisions a second with all else`;
  },
  "costly units": async ({ traffic, history }) => {
    const conditions = Array.from({ length: CONDITIONS }, (_, index) => `Conflicts=*${index}*a*b*.service\n`);
    const options = parseUnitFile(`[Service]\nExecStart=/bin/true\n[X-Fleet]\n${conditions.join("")}`);
    try {
      await traffic.api.setUnit("costly-0.service", { options, desiredState: "launched" });
      history.break(10, `a unit with ${CONDITIONS} conditions was taken`);
    } catch (error) {
      if (!(error instanceof FleetApiError)) throw error;
      return `a unit with ${CONDITIONS} conditions was sent: ${error.message.slice(0, 100)}`;
    }
    return "";
  },
};

/** Invariant 10, of an API that is burdened: somebody who asks it for a unit has an answer in time. */
async function answers({ cluster, history }: Target, host: number, when: string): Promise<void> {
  const endpoint = cluster.cluster.endpoint(host);
  const api = new FleetApi({ endpoint, timeoutMs: 5_000 });
  const endsAt = performance.now() + ANSWER_MS;
  try {
    for (;;) {
      const error = await api.listMachines().then(
        () => null,
        (reason: unknown) => reason,
      );
      if (error === null) return;
      if (!(error instanceof FleetApiError)) throw error;
      if (performance.now() > endsAt) {
        history.break(10, `h${host}'s API did not answer within ${ANSWER_MS / 1000} s ${when}: ${error.message}`);
        return;
      }
      await sleep(200);
    }
  } finally {
    api.close();
  }
}

/** Reads events until it is told to stop, whatever becomes of the API. */
async function view(api: FleetApi, units: readonly string[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const _item of api.events({ units }, signal));
    } catch (error) {
      if (!(error instanceof FleetApiError)) throw error;
      await sleep(300);
    }
  }
}
