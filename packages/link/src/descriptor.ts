// Made of link.proto by scripts/link-descriptor.ts.
/** The contract of the link, as protobufjs reads it. */
export const LINK_DESCRIPTOR: unknown = {
  nested: {
    fleet: {
      nested: {
        link: {
          nested: {
            v1: {
              nested: {
                Link: {
                  methods: {
                    Answer: {
                      requestType: "FromAgent",
                      requestStream: true,
                      responseType: "FromApi",
                      responseStream: true,
                    },
                  },
                },
                FromAgent: {
                  oneofs: { message: { oneof: ["hello", "journal", "status", "usage", "end", "failure"] } },
                  fields: {
                    hello: { type: "Hello", id: 1 },
                    journal: { type: "JournalChunk", id: 2 },
                    status: { type: "UnitStatus", id: 3 },
                    usage: { type: "UsageSample", id: 4 },
                    end: { type: "End", id: 5 },
                    failure: { type: "Failure", id: 6 },
                  },
                },
                FromApi: {
                  oneofs: { message: { oneof: ["question"] } },
                  fields: { question: { type: "Question", id: 1 } },
                },
                Hello: {
                  fields: {
                    call: { type: "string", id: 1 },
                    machineId: { type: "string", id: 2 },
                    secret: { type: "bytes", id: 3 },
                    version: { type: "uint32", id: 4 },
                  },
                },
                Question: {
                  oneofs: { verb: { oneof: ["journal", "status", "usage"] } },
                  fields: {
                    journal: { type: "JournalQuestion", id: 1 },
                    status: { type: "StatusQuestion", id: 2 },
                    usage: { type: "UsageQuestion", id: 3 },
                  },
                },
                End: { fields: {} },
                Failure: {
                  fields: { code: { type: "Code", id: 1 }, text: { type: "string", id: 2 } },
                  nested: { Code: { values: { FAILED: 0, BUSY: 1, UNKNOWN_VERB: 2, REFUSED: 3 } } },
                },
                JournalQuestion: {
                  oneofs: {
                    _lines: { oneof: ["lines"] },
                    _since: { oneof: ["since"] },
                    _until: { oneof: ["until"] },
                    _priority: { oneof: ["priority"] },
                    _grep: { oneof: ["grep"] },
                    _after: { oneof: ["after"] },
                  },
                  fields: {
                    units: { rule: "repeated", type: "string", id: 1 },
                    lines: { type: "uint32", id: 2, options: { proto3_optional: true } },
                    since: { type: "string", id: 3, options: { proto3_optional: true } },
                    until: { type: "string", id: 4, options: { proto3_optional: true } },
                    priority: { type: "string", id: 5, options: { proto3_optional: true } },
                    grep: { type: "string", id: 6, options: { proto3_optional: true } },
                    follow: { type: "bool", id: 7 },
                    after: { type: "string", id: 8, options: { proto3_optional: true } },
                    arrived: { rule: "repeated", type: "string", id: 9 },
                    allFields: { type: "bool", id: 10 },
                  },
                },
                JournalChunk: { fields: { json: { type: "bytes", id: 1 }, timeMs: { type: "int64", id: 2 } } },
                StatusQuestion: {
                  fields: { units: { rule: "repeated", type: "string", id: 1 }, lines: { type: "uint32", id: 2 } },
                },
                UnitStatus: {
                  oneofs: {
                    _description: { oneof: ["description"] },
                    _loadState: { oneof: ["loadState"] },
                    _activeState: { oneof: ["activeState"] },
                    _subState: { oneof: ["subState"] },
                    _sinceUs: { oneof: ["sinceUs"] },
                    _unitFileState: { oneof: ["unitFileState"] },
                    _fragmentPath: { oneof: ["fragmentPath"] },
                    _result: { oneof: ["result"] },
                    _exitStatus: { oneof: ["exitStatus"] },
                    _exitSignal: { oneof: ["exitSignal"] },
                    _restarts: { oneof: ["restarts"] },
                    _statusText: { oneof: ["statusText"] },
                    _mainPid: { oneof: ["mainPid"] },
                    _mainProcess: { oneof: ["mainProcess"] },
                    _tasks: { oneof: ["tasks"] },
                    _tasksMax: { oneof: ["tasksMax"] },
                    _memoryBytes: { oneof: ["memoryBytes"] },
                    _memoryPeakBytes: { oneof: ["memoryPeakBytes"] },
                    _cpuMs: { oneof: ["cpuMs"] },
                    _ioReadBytes: { oneof: ["ioReadBytes"] },
                    _ioWriteBytes: { oneof: ["ioWriteBytes"] },
                    _controlGroup: { oneof: ["controlGroup"] },
                  },
                  fields: {
                    unit: { type: "string", id: 1 },
                    description: { type: "string", id: 2, options: { proto3_optional: true } },
                    loadState: { type: "string", id: 3, options: { proto3_optional: true } },
                    activeState: { type: "string", id: 4, options: { proto3_optional: true } },
                    subState: { type: "string", id: 5, options: { proto3_optional: true } },
                    sinceUs: { type: "uint64", id: 6, options: { proto3_optional: true } },
                    unitFileState: { type: "string", id: 7, options: { proto3_optional: true } },
                    fragmentPath: { type: "string", id: 8, options: { proto3_optional: true } },
                    dropIns: { rule: "repeated", type: "string", id: 9 },
                    triggeredBy: { rule: "repeated", type: "string", id: 10 },
                    triggers: { rule: "repeated", type: "string", id: 11 },
                    result: { type: "string", id: 12, options: { proto3_optional: true } },
                    exitStatus: { type: "uint32", id: 13, options: { proto3_optional: true } },
                    exitSignal: { type: "string", id: 14, options: { proto3_optional: true } },
                    restarts: { type: "uint32", id: 15, options: { proto3_optional: true } },
                    statusText: { type: "string", id: 16, options: { proto3_optional: true } },
                    mainPid: { type: "uint32", id: 17, options: { proto3_optional: true } },
                    mainProcess: { type: "string", id: 18, options: { proto3_optional: true } },
                    tasks: { type: "uint64", id: 19, options: { proto3_optional: true } },
                    tasksMax: { type: "uint64", id: 20, options: { proto3_optional: true } },
                    memoryBytes: { type: "uint64", id: 21, options: { proto3_optional: true } },
                    memoryPeakBytes: { type: "uint64", id: 22, options: { proto3_optional: true } },
                    cpuMs: { type: "double", id: 23, options: { proto3_optional: true } },
                    ioReadBytes: { type: "uint64", id: 24, options: { proto3_optional: true } },
                    ioWriteBytes: { type: "uint64", id: 25, options: { proto3_optional: true } },
                    controlGroup: { type: "string", id: 26, options: { proto3_optional: true } },
                    processes: { rule: "repeated", type: "Process", id: 27 },
                    journal: { type: "bytes", id: 28 },
                  },
                },
                Process: {
                  fields: {
                    pid: { type: "uint32", id: 1 },
                    command: { type: "string", id: 2 },
                    controlGroup: { type: "string", id: 3 },
                  },
                },
                UsageQuestion: { fields: { intervalMs: { type: "uint32", id: 1 }, count: { type: "uint32", id: 2 } } },
                UsageSample: {
                  fields: {
                    atMs: { type: "uint64", id: 1 },
                    monotonicMs: { type: "double", id: 2 },
                    uptimeSeconds: { type: "double", id: 3 },
                    cpus: { type: "uint32", id: 4 },
                    load: { rule: "repeated", type: "double", id: 5 },
                    cpuBusyMs: { type: "double", id: 6 },
                    memory: { type: "Memory", id: 7 },
                    cpuPressure: { type: "Pressure", id: 8 },
                    memoryPressure: { type: "Pressure", id: 9 },
                    ioPressure: { type: "Pressure", id: 10 },
                    units: { rule: "repeated", type: "UnitUsage", id: 11 },
                  },
                },
                Memory: {
                  fields: {
                    totalBytes: { type: "uint64", id: 1 },
                    availableBytes: { type: "uint64", id: 2 },
                    swapTotalBytes: { type: "uint64", id: 3 },
                    swapFreeBytes: { type: "uint64", id: 4 },
                  },
                },
                Pressure: {
                  oneofs: { _full10: { oneof: ["full10"] } },
                  fields: {
                    some10: { type: "double", id: 1 },
                    full10: { type: "double", id: 2, options: { proto3_optional: true } },
                  },
                },
                UnitUsage: {
                  oneofs: {
                    _cpuMs: { oneof: ["cpuMs"] },
                    _memoryBytes: { oneof: ["memoryBytes"] },
                    _tasks: { oneof: ["tasks"] },
                    _ioReadBytes: { oneof: ["ioReadBytes"] },
                    _ioWriteBytes: { oneof: ["ioWriteBytes"] },
                  },
                  fields: {
                    name: { type: "string", id: 1 },
                    active: { type: "string", id: 2 },
                    sub: { type: "string", id: 3 },
                    cpuMs: { type: "double", id: 4, options: { proto3_optional: true } },
                    memoryBytes: { type: "uint64", id: 5, options: { proto3_optional: true } },
                    tasks: { type: "uint64", id: 6, options: { proto3_optional: true } },
                    ioReadBytes: { type: "uint64", id: 7, options: { proto3_optional: true } },
                    ioWriteBytes: { type: "uint64", id: 8, options: { proto3_optional: true } },
                  },
                },
              },
            },
          },
        },
      },
    },
  },
};
