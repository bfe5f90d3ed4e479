import {
  type Answer,
  OPERATIONS,
  type Operation,
  type Parameter,
  SCHEMAS,
  type SchemaName,
} from "@fleet/client/description";
import { withReferences } from "./json-schema.ts";

type Json = Readonly<Record<string, unknown>>;

const refer = (name: SchemaName): Json => ({ $ref: `#/components/schemas/${name}` });

/** The OpenAPI 3.1 document of the API. */
export function openApiDocument(version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const operation of OPERATIONS) {
    const path = `/${operation.path}`;
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: operationJson(operation) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "fleet API",
      version,
      description: "Units and machines of a fleet cluster. Served under /fleet/v1, and the same under /v1-alpha.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/fleet/v1" }],
    paths,
    components: {
      schemas: Object.fromEntries(
        Object.entries(SCHEMAS).map(([name, schema]) => [name, withReferences(schema, refer)]),
      ),
    },
  };
}

function operationJson({ id, summary, parameters, body, answers }: Operation): Json {
  const content = (schema: SchemaName, ...types: readonly string[]): Json =>
    Object.fromEntries(types.map((type) => [type, { schema: refer(schema) }]));
  const unavailable: Answer = { status: 503, description: "etcd can't be reached just now.", schema: "Error" };
  return {
    operationId: id,
    summary,
    ...(parameters.length === 0 ? {} : { parameters: parameters.map(parameterJson) }),
    ...(body === null ? {} : { requestBody: { required: true, content: content(body, "application/json") } }),
    responses: Object.fromEntries(
      [...answers, unavailable].map((answer) => [
        answer.status,
        {
          description: answer.description,
          ...(answer.schema === null
            ? {}
            : {
                content: content(answer.schema, answer.contentType ?? "application/json", ...(answer.otherTypes ?? [])),
              }),
        },
      ]),
    ),
  };
}

function parameterJson({ name, in: place, description, isRepeated, values }: Parameter): Json {
  const single = { type: "string", ...(values === undefined ? {} : { enum: values }) };
  return {
    name,
    in: place,
    description,
    required: place === "path",
    schema: isRepeated === true ? { type: "array", items: single } : single,
  };
}
