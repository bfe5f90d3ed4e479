import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import protobuf from "protobufjs/light.js";
import { LINK_DESCRIPTOR } from "./descriptor.ts";
import type { FromAgent, FromApi } from "./messages.ts";

/** The newest version of the contract that this end knows. */
export const LINK_VERSION = 1;

/** What agents call every server of the link: they know a server by its certificate, whatever its address. */
export const SERVER_NAME = "link.fleet";

/** Numbers of 64 bits are times and sizes below 2^53. What is not set is absent, but for lists. */
const AS_OBJECTS = { longs: Number, enums: String, arrays: true } as const;

const root = protobuf.Root.fromJSON(LINK_DESCRIPTOR as protobuf.INamespace).resolveAll();

/** The one method: a stream in which the agent, who opens it, answers. */
const ANSWER = {
  path: "/fleet.link.v1.Link/Answer",
  originalName: "answer",
  requestStream: true,
  responseStream: true,
  ...codecs<FromAgent, "request">("request", "FromAgent"),
  ...codecs<FromApi, "response">("response", "FromApi"),
} as const satisfies MethodDefinition<FromAgent, FromApi>;

/** The service of link.proto, as grpc-js takes it. */
export const LINK_SERVICE = { answer: ANSWER } as const satisfies ServiceDefinition;

type Codecs<Message, Direction extends string> = {
  readonly [Name in `${Direction}Serialize`]: (message: Message) => Buffer;
} & { readonly [Name in `${Direction}Deserialize`]: (bytes: Buffer) => Message };

function codecs<Message, Direction extends string>(direction: Direction, name: string): Codecs<Message, Direction> {
  const type = root.lookupType(`fleet.link.v1.${name}`);
  return {
    [`${direction}Serialize`]: (message: Message) =>
      Buffer.from(type.encode(type.fromObject(message as Record<string, unknown>)).finish()),
    [`${direction}Deserialize`]: (bytes: Buffer) => type.toObject(type.decode(bytes), AS_OBJECTS) as Message,
  } as unknown as Codecs<Message, Direction>;
}
