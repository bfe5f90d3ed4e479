// Stands in for @grpc/proto-loader in the single executables: the same service definitions, from the descriptor that
// was parsed when the executable was built. Half of the loader's code and all of its parsing stay out of memory.
const { configure, Namespace, Root, Service, util } = require("protobufjs/light");
const Long = require("long");
const { READERS, WRITERS } = require("./etcd-messages.cjs");

util.Long = Long;
configure();

exports.loadSync = (_file, options) => {
  const root = Root.fromJSON(require("etcd3-descriptor")).resolveAll();
  const definitions = {};
  const serialize = (type) => WRITERS[type.fullName] ?? ((value) => type.encode(type.fromObject(value)).finish());
  const deserialize = (type) => READERS[type.fullName] ?? ((bytes) => type.toObject(type.decode(bytes), options));
  const addService = (service) => {
    const name = service.fullName.slice(1);
    const methods = service.methodsArray.map((method) => [
      method.name,
      {
        path: `/${name}/${method.name}`,
        requestStream: Boolean(method.requestStream),
        responseStream: Boolean(method.responseStream),
        originalName: method.name[0].toLowerCase() + method.name.slice(1),
        requestSerialize: serialize(method.resolvedRequestType),
        requestDeserialize: deserialize(method.resolvedRequestType),
        responseSerialize: serialize(method.resolvedResponseType),
        responseDeserialize: deserialize(method.resolvedResponseType),
      },
    ]);
    definitions[name] = Object.fromEntries(methods);
  };
  const walk = (namespace) => {
    for (const entry of namespace.nestedArray) {
      if (entry instanceof Service) addService(entry);
      else if (entry instanceof Namespace) walk(entry);
    }
  };
  walk(root);
  return definitions;
};
