import { OPERATIONS, type Operation, SCHEMAS, type SchemaName } from "@fleet/client/description";
import { withReferences } from "./json-schema.ts";

type Json = Readonly<Record<string, unknown>>;

const CLASSIC_SCHEMAS = [
  "Machine",
  "MachinePage",
  "Unit",
  "UnitOption",
  "UnitPage",
  "UnitState",
  "UnitStatePage",
] as const satisfies readonly SchemaName[];

/** Members that the old document calls required though answers leave them out where they are empty. */
const CALLED_REQUIRED: Readonly<Partial<Record<SchemaName, readonly string[]>>> = { Unit: ["machineID"] };

/** In this document a Unit and a change of a Unit have one name. */
const refer = (name: SchemaName): Json => ({ $ref: name === "UnitChange" ? "Unit" : name });

/** The Google API discovery document, from which clients of the old fleet were generated. */
export function discoveryDocument(): Json {
  const resources: Record<string, { methods: Record<string, Json> }> = {};
  for (const operation of OPERATIONS.filter(({ isClassic }) => isClassic)) {
    const [resource = "", method = ""] = operation.id.split(".");
    const entry = resources[resource] ?? { methods: {} };
    entry.methods[method] = methodJson(operation, resource, method);
    resources[resource] = entry;
  }
  return {
    kind: "discovery#restDescription",
    discoveryVersion: "v1",
    id: "fleet:v1",
    name: "schema",
    version: "v1",
    title: "fleet API",
    description: "",
    documentationLink: "http://github.com/coreos/fleet",
    protocol: "rest",
    icons: { x16: "", x32: "" },
    labels: [],
    baseUrl: "$ENDPOINT/fleet/v1/",
    basePath: "/fleet/v1/",
    rootUrl: "$ENDPOINT/",
    servicePath: "fleet/v1/",
    batchPath: "batch",
    parameters: {},
    auth: {},
    schemas: Object.fromEntries(
      CLASSIC_SCHEMAS.map((name) => {
        const { required } = SCHEMAS[name] as { readonly required?: readonly string[] };
        const schema = { ...SCHEMAS[name], required: [...(required ?? []), ...(CALLED_REQUIRED[name] ?? [])] };
        return [name, { id: name, ...(discoverySchema(schema) as Json) }];
      }),
    ),
    resources,
  };
}

function methodJson(
  { method, path, summary, parameters, body, answers }: Operation,
  resource: string,
  name: string,
): Json {
  const answer = answers.find(({ schema, status }) => status === 200 && schema !== null)?.schema ?? null;
  const inPath = parameters.filter((parameter) => parameter.in === "path").map((parameter) => parameter.name);
  return {
    id: `fleet.${resource.replace(/s$/, "")}.${name}`,
    description: summary,
    httpMethod: method,
    path,
    ...(parameters.length === 0
      ? {}
      : {
          parameters: Object.fromEntries(
            parameters.map((parameter) => [
              parameter.name,
              {
                type: "string",
                location: parameter.in,
                description: parameter.description,
                ...(parameter.in === "path" ? { required: true } : {}),
              },
            ]),
          ),
        }),
    ...(inPath.length === 0 ? {} : { parameterOrder: inPath }),
    ...(body === null ? {} : { request: refer(body) }),
    ...(answer === null ? {} : { response: refer(answer) }),
  };
}

/**
 * A schema in the older draft of JSON Schema that discovery documents follow: each property says whether it is
 * required.
 */
function discoverySchema(schema: object): unknown {
  const moved = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(moved);
    if (typeof node !== "object" || node === null) return node;
    const { required, properties, ...rest } = node as { required?: readonly string[]; properties?: Json };
    const others = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, moved(value)]));
    if (properties === undefined) return others;
    const members = Object.entries(properties).map(([name, value]) => [
      name,
      { ...(moved(value) as Json), ...(required?.includes(name) ? { required: true } : {}) },
    ]);
    return { ...others, properties: Object.fromEntries(members) };
  };
  return moved(withReferences(schema, refer));
}
