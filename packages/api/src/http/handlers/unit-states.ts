import type { ClusterView } from "../../model/cluster-view.ts";
import { HttpError } from "../errors.ts";
import { onlyValue, pageJson } from "../paging.ts";
import { pathParameter, queryOf } from "../request-parts.ts";
import type { Handlers } from "../routes.ts";

/** What the handlers are built from. */
export interface UnitStateDeps {
  readonly view: ClusterView;
  /** Most entries of a page. */
  readonly tokenLimit: () => number;
}

/** The handlers of operations on states of units. */
export function unitStateHandlers(deps: UnitStateDeps): Pick<Handlers, "UnitState.List" | "UnitState.Get"> {
  const { view, tokenLimit } = deps;
  return {
    "UnitState.List": async (request, reply) => {
      const query = queryOf(request);
      const machineID = onlyValue(query, "machineID");
      const unitName = onlyValue(query, "unitName");
      const take = (start: number, count: number) => view.states(machineID, unitName, start, count);
      return reply.send(await pageJson("states", query, tokenLimit(), take));
    },
    "UnitState.Get": async (request, reply) => {
      const state = view.state(pathParameter(request, "unitName"));
      if (state === null) throw new HttpError(404, "unit state does not exist");
      return reply.send(state);
    },
  };
}
