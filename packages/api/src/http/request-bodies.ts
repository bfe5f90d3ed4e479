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
export async function requireJson({ raw: { rawHeaders } }: FastifyRequest): Promise<void> {
  const sent = rawHeaders.filter(
    (_entry, index, all) => index % 2 === 1 && /^content-type$/i.test(all[index - 1] ?? ""),
  );
  const type = sent[0]?.split(";")[0]?.trim().toLowerCase();
  if (sent.length !== 1 || type !== JSON_TYPE)
    throw new HttpError(415, `only one Content-Type, ${JSON_TYPE}, is accepted`);
}

/** Has fastify ignore the body of a request. */
export function dropBody({ raw }: FastifyRequest): void {
  for (const header of ["content-type", "content-length", "transfer-encoding"]) delete raw.headers[header];
}
