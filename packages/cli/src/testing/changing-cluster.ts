import type { Answer } from "./fake-server.ts";

type Json = Readonly<Record<string, unknown>>;

/** What a cluster has. */
export interface Holding {
  readonly units: readonly Json[];
  readonly states: readonly Json[];
  readonly machines?: readonly Json[];
  /** By unit. */
  readonly placements?: Readonly<Record<string, Json>>;
}

/**
 * Answers as an API does whose cluster changes with each request that changes something.
 *
 * @param next what it has after such a request: of the one before, the unit's name, and the desired state asked for
 */
export function changingCluster(
  first: Holding,
  next: (before: Holding, name: string, desiredState: string) => Holding,
) {
  let now = first;
  return {
    answer(method: string, path: string, body: string): Answer {
      const [, resource = "", encoded = "", part] = path.split(/[/?]/);
      const name = decodeURIComponent(encoded);
      if (method === "PUT") {
        const { desiredState } = JSON.parse(body) as { desiredState: string };
        now = next(now, name, desiredState);
        return { status: 204 };
      }
      if (resource === "machines") return { body: { machines: now.machines ?? [] } };
      if (resource === "state") {
        const asked = new URLSearchParams(path.split("?")[1]).get("unitName");
        return { body: { states: now.states.filter((state) => asked === null || state.name === asked) } };
      }
      const unit = now.units.find((entry) => entry.name === name);
      if (part === "placement") return orNothing(now.placements?.[name]);
      return name === "" ? { body: { units: now.units } } : orNothing(unit);
    },
  };
}

function orNothing(body: Json | undefined): Answer {
  return body === undefined ? { status: 404 } : { body };
}
