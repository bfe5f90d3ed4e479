import { hashUnitFile } from "@fleet/domain/unit";
import type { Answer } from "./fake-server.ts";

/** The only machine of a cluster. */
export const id = "113f16a7aaaaaaaaaaaaaaaaaaaaaaaa";

/** What its only unit is, as the API tells it. */
export const options = [{ section: "Service", name: "ExecStart", value: "/bin/a" }];

/** The hash of these options. */
export const HASH = hashUnitFile(options);

/** A unit that runs on the machine. */
export const unit = { name: "a.service", options, desiredState: "launched", currentState: "launched", machineID: id };

const globalOptions = [...options, { section: "X-Fleet", name: "Global", value: "true" }];

/** A global unit. */
export const GLOBAL = { name: "g.service", options: globalOptions, hash: hashUnitFile(globalOptions) };

/** What the machine says of it. */
export const state = {
  name: "a.service",
  hash: HASH,
  machineID: id,
  systemdLoadState: "loaded",
  systemdActiveState: "active",
  systemdSubState: "running",
};

/** Answers as an API does that has these units and states, and takes every change without keeping any. */
export function clusterOf(states: readonly object[], units: readonly object[]) {
  return (method: string, path: string): Answer => {
    if (method === "PUT") return { status: 204 };
    if (path.endsWith("/placement") || /\/status\b|^\/(journal|usage)/.test(path)) return { status: 404 };
    if (path.startsWith("/machines"))
      return { body: { machines: [{ id, primaryIP: "192.0.2.9", metadata: { a: "1" } }] } };
    if (path.startsWith("/state")) {
      const asked = new URLSearchParams(path.split("?")[1]).get("unitName");
      return { body: { states: states.filter((one) => asked === null || ("name" in one && one.name === asked)) } };
    }
    const name = decodeURIComponent(path.split(/[/?]/)[2] ?? "");
    if (name === "") return { body: { units } };
    const found = units.find((entry) => "name" in entry && entry.name === name);
    return found === undefined ? { status: 404 } : { body: found };
  };
}
