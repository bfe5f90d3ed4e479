import { checkUnit, MOST_MESSAGE } from "@fleet/domain/cluster";
import {
  checkUnitSize,
  type DesiredState,
  isDesiredState,
  serializeUnitFile,
  type UnitOption,
} from "@fleet/domain/unit";
import {
  type ChangeAuthor,
  destroyUnknown,
  type Registry,
  RegistryError,
  type UnitChange,
  type UnitOutcome,
  type UnitWriter,
} from "@fleet/registry";
import type { FastifyRequest } from "fastify";
import type { ClusterView } from "../../model/cluster-view.ts";
import { HttpError } from "../errors.ts";
import { onlyValue, pageJson } from "../paging.ts";
import type { PlacementExplainer } from "../placement-explainer.ts";
import type { UntilShown, UntilUnitVisible } from "../read-your-writes.ts";
import { pathParameter, queryOf, VIEW_AGE } from "../request-parts.ts";
import type { Handlers } from "../routes.ts";

/** What the handlers are built from. */
export interface UnitDeps {
  readonly view: ClusterView;
  readonly writer: UnitWriter;
  readonly registry: Registry;
  readonly explainer: PlacementExplainer;
  readonly untilUnitVisible: UntilUnitVisible;
  readonly untilShown: UntilShown;
  /** Who has sent a request, for the history of units; null: that is not known. */
  readonly nameOfSender: (request: FastifyRequest) => string | null;
  /** Most entries of a page. */
  readonly tokenLimit: () => number;
  /** Most bytes of a unit's text. */
  readonly unitSizeLimit: () => number;
}

/** A body that matches the schema UnitChange. */
interface UnitChangeBody {
  readonly name?: string;
  readonly options?: readonly { readonly section: string; readonly name: string; readonly value?: string }[];
  readonly desiredState?: string;
  readonly text?: string;
}

type UnitHandlers = Pick<
  Handlers,
  "Units.List" | "Units.Get" | "Units.Set" | "Units.Delete" | "Units.Placement" | "Units.Explain"
>;

/** The handlers of operations on units. */
export function unitHandlers(deps: UnitDeps): UnitHandlers {
  const { view, explainer, tokenLimit, registry } = deps;
  return {
    "Units.List": async (request, reply) => {
      const query = queryOf(request);
      const { nextPageToken } = query;
      const size = tokenLimit();
      const make = (): Promise<string> => pageJson("units", query, size, (start, count) => view.units(start, count));
      // An empty token, or one that is given twice and so an array, is refused by making the page.
      const isPlain = nextPageToken === undefined || (typeof nextPageToken === "string" && nextPageToken !== "");
      return reply.send(await (isPlain ? view.page(`units ${size} ${nextPageToken ?? ""}`, make) : make()));
    },
    "Units.Get": async (request, reply) => {
      const withText = asksForText(onlyValue(queryOf(request), "text"));
      const name = pathParameter(request, "unitName");
      const unit = await view.unit(name);
      const record = view.record(name);
      if (unit === null) throw new HttpError(404, "unit does not exist");
      // Texts as they were submitted are in etcd only: a last view has none.
      const isLastView = reply.hasHeader(VIEW_AGE);
      const text = withText && record !== null && !isLastView ? await registry.unitText(record) : null;
      return reply.send(text === null ? unit : `${unit.slice(0, -1)},"text":${JSON.stringify(text)}}`);
    },
    "Units.Set": async (request, reply) => {
      const body = request.body as UnitChangeBody;
      const name = pathParameter(request, "unitName");
      checkName(name, body.name);
      const options = optionsOf(body);
      const { text = null } = body;
      checkUnitSize(name, options ?? [], deps.unitSizeLimit(), text);
      // As the old API does: the old fleetctl's --replace waits until a unit that it gives new options is inactive.
      const desiredState = desiredStateOf(body) ?? (options === null ? null : "inactive");
      // One that the registry has lost is taken on where it runs.
      const [runsOn] = view.unknownOn(name);
      const prefers = runsOn === undefined ? {} : { prefers: runsOn };
      const heldBy = view.holderOf(name);
      const held = heldBy === null ? {} : { heldBy };
      const change = { kind: "set", name, options, text, desiredState, ...prefers, ...held } as const;
      const outcome = await submit(deps, change, authorOf(request, deps));
      return reply.code(outcome === "created" || outcome === "replaced" ? 201 : 204).send();
    },
    "Units.Delete": async (request, reply) => {
      const name = pathParameter(request, "unitName");
      await submit(deps, { kind: "destroy", name }, authorOf(request, deps)).catch((error: unknown) =>
        destroyLost(deps, name, error),
      );
      return reply.code(204).send();
    },
    "Units.Placement": async (request, reply) => {
      const placement = await explainer.explain(pathParameter(request, "unitName"));
      if (placement === null) throw new HttpError(404, "unit does not exist");
      return reply.send(JSON.stringify(placement));
    },
    "Units.Explain": async (request, reply) => {
      const name = pathParameter(request, "unitName");
      const options = optionsOf(request.body as UnitChangeBody) ?? [];
      checkUnitSize(name, options, deps.unitSizeLimit());
      checkUnit(name, options);
      return reply.send(JSON.stringify(await explainer.explainVersion(name, options)));
    },
  };
}

/**
 * Carries a change out. It is answered once this server shows it; a refusal too, which goes by what etcd has by then: a
 * client that asks again after a request whose answer was lost is refused what it has done itself.
 */
async function submit(
  { view, writer, registry, untilUnitVisible, untilShown }: UnitDeps,
  change: UnitChange,
  author: ChangeAuthor,
): Promise<UnitOutcome> {
  const key = registry.keys.unit(change.name);
  try {
    const { outcome, revision } = await writer.submit(change, author);
    if (change.kind === "set" && change.options !== null) view.keepFile(serializeUnitFile(change.options));
    await untilUnitVisible(key, revision, change.kind !== "destroy");
    return outcome;
  } catch (error) {
    const isRefused = error instanceof RegistryError && ["not-found", "refused"].includes(error.code);
    if (isRefused) await untilShown(change.name, key, await registry.presence(key));
    throw error;
  }
}

/** Who asks for a change, and why. */
function authorOf(request: FastifyRequest, { nameOfSender }: UnitDeps): ChangeAuthor {
  const { message = null } = queryOf(request);
  if (message !== null && (typeof message !== "string" || message.length > MOST_MESSAGE))
    throw new HttpError(400, `invalid message: expected it once, with at most ${MOST_MESSAGE} characters`);
  return { by: nameOfSender(request), message: message === "" ? null : message };
}

/**
 * Has machines take a unit away that the registry has lost, and nobody has destroyed.
 *
 * @param error why it could not be destroyed as others are; thrown where no machine has such a unit
 */
async function destroyLost({ view, registry }: UnitDeps, name: string, error: unknown): Promise<void> {
  const machineIDs = view.unknownOn(name);
  const isLost = error instanceof RegistryError && error.code === "not-found" && machineIDs.length > 0;
  if (!isLost) throw error;
  await destroyUnknown(registry.etcd, registry.keys, name, machineIDs);
}

/** Checks that a body which names a unit names the one in the URL. */
function checkName(inUrl: string, inBody: string | undefined): void {
  if (inBody === undefined || inBody === "" || inBody === inUrl) return;
  throw new HttpError(
    400,
    `name in URL ${JSON.stringify(inUrl)} differs from unit name in request body ${JSON.stringify(inBody)}`,
  );
}

/** Whether the text as it was submitted is asked for. */
function asksForText(text: string | null): boolean {
  if (text === null || text === "false") return false;
  if (text === "true") return true;
  throw new HttpError(400, `invalid text ${JSON.stringify(text)}: expected true or false`);
}

/** The options in a body; null: the unit keeps those that it has. */
function optionsOf({ options }: UnitChangeBody): readonly UnitOption[] | null {
  if (options === undefined || options.length === 0) return null;
  return options.map(({ section, name, value }) => ({ section, name, value: value ?? "" }));
}

/** The desired state in a body; null: the unit keeps the one that it has. */
function desiredStateOf({ desiredState: state }: UnitChangeBody): DesiredState | null {
  if (state === undefined || state === "") return null;
  if (isDesiredState(state)) return state;
  throw new HttpError(400, `invalid desiredState ${JSON.stringify(state)}: expected inactive, loaded or launched`);
}
