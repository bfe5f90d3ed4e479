import type { Roll, RollRequest } from "@fleet/client";
import type { ClusterState } from "@fleet/domain/cluster";
import { isRollOrder, planRoll, tellRoll } from "@fleet/domain/roll";
import { createRoll, orderRoll, type Registry, RegistryError } from "@fleet/registry";
import type { FastifyRequest } from "fastify";
import { HttpError } from "../errors.ts";
import type { UntilVisible } from "../read-your-writes.ts";
import { pathParameter } from "../request-parts.ts";
import type { Handlers } from "../routes.ts";

/** What the handlers are built from. */
export interface RollDeps {
  readonly state: ClusterState;
  readonly registry: Registry;
  readonly untilVisible: UntilVisible;
  /** Who has sent a request; null: that is not known. */
  readonly nameOfSender: (request: FastifyRequest) => string | null;
  /** Most bytes of a unit's text. */
  readonly unitSizeLimit: () => number;
}

/** The handlers of operations on rolls. */
export function rollHandlers(
  deps: RollDeps,
): Pick<Handlers, "Rolls.List" | "Rolls.Create" | "Rolls.Get" | "Rolls.Order"> {
  const { state, registry, untilVisible, nameOfSender } = deps;
  const { etcd, keys } = registry;
  const tell = (id: string): Roll | null => {
    const [roll, progress] = [state.rolls.get(id), state.rollProgress.get(id)];
    return roll === undefined || progress === undefined ? null : tellRoll(id, roll, progress);
  };
  return {
    "Rolls.List": async (_request, reply) => {
      const ids = [...state.rolls.keys()].sort((a, b) => Number(a) - Number(b));
      return reply.send(JSON.stringify({ rolls: ids.flatMap((id) => tell(id) ?? []) }));
    },
    "Rolls.Get": async (request, reply) => {
      const roll = tell(pathParameter(request, "rollID"));
      if (roll === null) throw new HttpError(404, "there is no such roll, or it is not kept any more");
      return reply.send(JSON.stringify(roll));
    },
    "Rolls.Create": async (request, reply) => {
      const asked = request.body as RollRequest;
      const records = await registry.units([...new Set(asked.units.map(({ name }) => name))]);
      const author = { by: nameOfSender(request), at: new Date() };
      const { roll, sources } = planRoll(asked, author, (name) => records.get(name) ?? null, deps.unitSizeLimit());
      const { id, revision } = await createRoll(etcd, keys, roll, sources);
      await untilVisible(keys.rollProgress(id), revision);
      return reply.code(201).send(JSON.stringify(tell(id)));
    },
    "Rolls.Order": async (request, reply) => {
      const id = pathParameter(request, "rollID");
      const { order } = request.body as { readonly order: string };
      if (!isRollOrder(order)) throw new HttpError(400, `invalid order ${JSON.stringify(order)}`);
      // By what etcd has: this server may not have heard of it yet.
      const revision = await orderRoll(etcd, keys, id, order, nameOfSender(request)).catch((error: unknown) => {
        if (!(error instanceof RegistryError) || error.code !== "not-found") throw error;
        throw new HttpError(404, "there is no such roll, or it is not kept any more");
      });
      await untilVisible(keys.rollProgress(id), revision);
      return reply.code(204).send();
    },
  };
}
