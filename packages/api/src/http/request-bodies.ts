import type { FastifyInstance, FastifyRequest } from "fastify";
import { foldNames } from "../model/case-fold.ts";
import { HttpError } from "./errors.ts";
import { JSON_TYPE } from "./media-type.ts";
import { MEMBER_NAMES } from "./member-names.ts";

/** Has fastify read every body as JSON, whatever its content type. Routes that read one use `requireJson` too. */
export function parseBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => {
    if (body === "") return done(null, undefined);
    try {
      done(null, foldNames(JSON.parse(body as string), MEMBER_NAMES));
    } catch {
      done(new HttpError(400, "the request body is not valid JSON"));
    }
  });
}

/**
 * Refuses a request whose body is not declared as JSON, or is declared more than once.
 *
 * @throws HttpError 415
 */
export async function requireJson(request: FastifyRequest): Promise<void> {
  const types = contentTypes(request);
  if (types.length !== 1 || types[0] !== JSON_TYPE)
    throw new HttpError(415, `invalid Content-Type: expected exactly one, ${JSON_TYPE}`);
}

/**
 * Refuses a request whose body is declared as anything but JSON. It need not be declared.
 *
 * @throws HttpError 415
 */
export async function refuseOtherTypes(request: FastifyRequest): Promise<void> {
  if (contentTypes(request).length > 0) await requireJson(request);
}

function contentTypes({ raw: { rawHeaders } }: FastifyRequest): readonly (string | undefined)[] {
  return rawHeaders
    .filter((_entry, index, all) => index % 2 === 1 && /^content-type$/i.test(all[index - 1] ?? ""))
    .map((type) => type.split(";")[0]?.trim().toLowerCase());
}

/** Has fastify ignore the body of a request. */
export function dropBody({ raw }: FastifyRequest): void {
  for (const header of ["content-type", "content-length", "transfer-encoding"]) delete raw.headers[header];
}
