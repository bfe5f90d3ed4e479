import type { TLSSocket } from "node:tls";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { auditRecord, type Sender } from "../model/audit.ts";
import type { Access } from "./access.ts";
import type { AuditLog } from "./audit-log.ts";
import { peerCredentials } from "./peer-credentials.ts";
import { askedOf, pathOf } from "./request-parts.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Why it was refused or failed; null: it was not. */
    failure: string | null;
  }
}

/**
 * Has a line written for each change that somebody with a known token, or with no need of one, has asked for. It is
 * written before the answer is sent: a client that goes away meanwhile leaves a line too.
 */
export function auditChanges(app: FastifyInstance, access: () => Access | null, log: AuditLog): void {
  app.decorateRequest("failure", null);
  app.addHook("onSend", async (request, reply) => {
    const { operation } = request.routeOptions.config ?? {};
    if (operation === undefined || !log.isOn || askedOf(request).kind !== "change") return;
    const sender = senderOf(request, access());
    if (sender === null) return;
    const { body } = request;
    const answer = { status: reply.statusCode, error: request.failure };
    log.write(auditRecord(sender, { operation, path: pathOf(request), body }, answer, new Date()));
  });
}

/** Null: it has no token that is known, and one is asked for. Anybody can send such requests, as many as he likes. */
export function senderOf(request: FastifyRequest, access: Access | null): Sender | null {
  const token = access?.tokenOf(request) ?? null;
  if (access !== null && token === null) return null;
  const { socket } = request;
  const subject = (socket as Partial<TLSSocket>).getPeerCertificate?.().subject;
  return {
    token,
    certificate: subject?.CN === undefined ? null : String(subject.CN),
    peer: peerCredentials(socket),
    // One of IPv4 that came to a socket of both kinds.
    address: socket.remoteAddress?.replace(/^::ffff:(?=[\d.]+$)/, "") ?? null,
  };
}
