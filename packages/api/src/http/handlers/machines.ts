import { changeMetadata, cordonMachine, forgetMachine, type Registry, uncordonMachine } from "@fleet/registry";
import type { FastifyRequest } from "fastify";
import type { ClusterView } from "../../model/cluster-view.ts";
import { readMetadataPatch } from "../../model/metadata-patch.ts";
import { HttpError } from "../errors.ts";
import { onlyValue, pageJson } from "../paging.ts";
import type { UntilVisible } from "../read-your-writes.ts";
import { pathParameter, queryOf } from "../request-parts.ts";
import type { Handlers } from "../routes.ts";

/** What the handlers are built from. */
export interface MachineDeps {
  readonly view: ClusterView;
  readonly registry: Registry;
  readonly untilVisible: UntilVisible;
  /** Most entries of a page. */
  readonly tokenLimit: () => number;
}

type MachineHandlers = Pick<
  Handlers,
  "Machines.Forget" | "Machines.List" | "Machines.Patch" | "Machines.Cordon" | "Machines.Uncordon"
>;

/** The handlers of operations on machines. */
export function machineHandlers({ view, registry, untilVisible, tokenLimit }: MachineDeps): MachineHandlers {
  const { etcd, keys } = registry;
  return {
    "Machines.List": async (request, reply) => {
      const query = queryOf(request);
      const withLost = asksForLost(onlyValue(query, "lost"));
      const take = (start: number, count: number) =>
        withLost ? view.machinesAndLost(start, count) : view.machines(start, count);
      return reply.send(await pageJson("machines", query, tokenLimit(), take));
    },
    "Machines.Patch": async (request, reply) => {
      // This says which operation is wrong, in plainer words than the schema's. The schema has the last word.
      const changes = readMetadataPatch(request.body);
      if (request.validationError !== undefined) throw new HttpError(400, request.validationError.message);
      const revision = await changeMetadata(etcd, keys, changes);
      const [first] = changes;
      if (first !== undefined) await untilVisible(keys.machineMetadata(first.machineID, first.key), revision);
      return reply.code(204).send();
    },
    "Machines.Forget": async (request, reply) => {
      const id = machineIDOf(request);
      await untilVisible(keys.knownMachine(id), await forgetMachine(etcd, keys, id));
      return reply.code(204).send();
    },
    "Machines.Cordon": async (request, reply) => {
      const id = machineIDOf(request);
      const { drain = false } = request.body as { readonly drain?: boolean };
      const revision = await cordonMachine(etcd, keys, id, { drain, since: new Date() });
      await untilVisible(keys.cordon(id), revision);
      return reply.code(204).send();
    },
    "Machines.Uncordon": async (request, reply) => {
      const id = machineIDOf(request);
      await untilVisible(keys.cordon(id), await uncordonMachine(etcd, keys, id));
      return reply.code(204).send();
    },
  };
}

/** Old scripts take every entry for a machine that is there, so lost ones have to be asked for. */
function asksForLost(lost: string | null): boolean {
  if (lost === null || lost === "false") return false;
  if (lost === "true") return true;
  throw new HttpError(400, `invalid lost ${JSON.stringify(lost)}: expected true or false`);
}

/** The machine ID in the path. There need not be such a machine now: a cordon holds when the machine comes back. */
function machineIDOf(request: FastifyRequest): string {
  const text = pathParameter(request, "machineID");
  if (/^[A-Za-z0-9_.-]{1,128}$/.test(text)) return text;
  throw new HttpError(400, `invalid machine ID ${JSON.stringify(text)}: expected letters, digits and _ . -`);
}
