import { discoveryDocument } from "../../model/discovery.ts";
import { openApiDocument } from "../../model/openapi.ts";
import type { Handler } from "../routes.ts";

/** Handlers of the documents that describe the API, by path under the API's prefix. */
export function documentHandlers(version: string): Readonly<Record<string, Handler>> {
  const discovery = JSON.stringify(discoveryDocument());
  const openApi = JSON.stringify(openApiDocument(version));
  return {
    discovery: async (_request, reply) => reply.send(discovery),
    "openapi.json": async (_request, reply) => reply.send(openApi),
  };
}
