// Stands in for @grpc/proto-loader in the single executables: the same service definitions, from the descriptor that
// was parsed when the executable was built. Half of the loader's code and all of its parsing stay out of memory.
import Long from "long";
import protobuf from "protobufjs/light.js";

const { configure, Namespace, Root, Service, util } = protobuf;

util.Long = Long;
configure();

/** How a method's messages are written and read: what grpc-js is to know of it. */
interface MethodDefinition {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly originalName: string;
  readonly requestSerialize: Serialize;
  readonly requestDeserialize: Deserialize;
  readonly responseSerialize: Serialize;
  readonly responseDeserialize: Deserialize;
}
type Serialize = (message: Record<string, unknown>) => Uint8Array;
type Deserialize = (bytes: Uint8Array) => Record<string, unknown>;

/**
 * What the loader's `loadSync` returns: the services of a file, by full name, with their methods by name.
 *
 * @param descriptor the file as protobufjs writes it as JSON
 * @param options how answers become plain objects, as the loader takes it
 */
export function serviceDefinitions(
  descriptor: protobuf.INamespace,
  options: protobuf.IConversionOptions,
): Record<string, Record<string, MethodDefinition>> {
  const definitions: Record<string, Record<string, MethodDefinition>> = {};
  const walk = (namespace: protobuf.NamespaceBase): void => {
    for (const entry of namespace.nestedArray) {
      if (entry instanceof Service) definitions[entry.fullName.slice(1)] = methodsOf(entry, options);
      else if (entry instanceof Namespace) walk(entry);
    }
  };
  walk(Root.fromJSON(descriptor).resolveAll());
  return definitions;
}

function methodsOf(service: protobuf.Service, options: protobuf.IConversionOptions): Record<string, MethodDefinition> {
  const name = service.fullName.slice(1);
  const serialize =
    (type: protobuf.Type | null): Serialize =>
    (message) => {
      if (type === null) throw new Error(`${name} has a method without a type`);
      return type.encode(type.fromObject(message)).finish();
    };
  const deserialize =
    (type: protobuf.Type | null): Deserialize =>
    (bytes) => {
      if (type === null) throw new Error(`${name} has a method without a type`);
      return type.toObject(type.decode(bytes), options);
    };
  const methods = service.methodsArray.map((method): [string, MethodDefinition] => [
    method.name,
    {
      path: `/${name}/${method.name}`,
      requestStream: method.requestStream === true,
      responseStream: method.responseStream === true,
      originalName: method.name.charAt(0).toLowerCase() + method.name.slice(1),
      requestSerialize: serialize(method.resolvedRequestType),
      requestDeserialize: deserialize(method.resolvedRequestType),
      responseSerialize: serialize(method.resolvedResponseType),
      responseDeserialize: deserialize(method.resolvedResponseType),
    },
  ]);
  return Object.fromEntries(methods);
}
