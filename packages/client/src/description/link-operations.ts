import { type Operation, ok, refused, UNIT_NAME } from "./operation.ts";

const noLink = refused(501, "This API asks no machine: link_listen is not set.");
const busy = refused(429, "The API holds as many streams as it can.");
const noRight = refused(403, "The token may not read journals.");

const journalAnswers = [
  {
    status: 200,
    description:
      "Newline-delimited JSON: each line is a JournalItem; an empty line is a sign of life. As server-sent events these are named entry, note and end. A stream without an end was broken off.",
    schema: "JournalItem",
    contentType: "application/x-ndjson",
    otherTypes: ["text/event-stream"],
  },
  refused(400, "A parameter is not valid."),
  noRight,
  refused(404, "No unit has such a name."),
  busy,
  noLink,
] as const;

/** Requests that the agents of machines answer, over the link. */
export const LINK_OPERATIONS = [
  {
    id: "Journal.Read",
    method: "GET",
    path: "journal",
    summary: "Read the journals of units on all machines, merged by time, and follow them.",
    parameters: [
      { name: "unit", in: "query", description: "A unit's name, or a glob.", isRepeated: true },
      { name: "machine", in: "query", description: "Only of this machine, by ID.", isRepeated: true },
      { name: "lines", in: "query", description: "How many of the latest entries, or all; 10 by default." },
      { name: "since", in: "query", description: "Only entries of this time and later, as journalctl takes it." },
      { name: "until", in: "query", description: "Only entries of this time and before, as journalctl takes it." },
      { name: "priority", in: "query", description: "A level, or a range as in 0..3, as journalctl takes it." },
      { name: "grep", in: "query", description: "Only entries whose message matches this PCRE2 expression." },
      {
        name: "follow",
        in: "query",
        description: "true: go on with what is written, until all units have ended or were destroyed.",
        values: ["true", "false"],
      },
      {
        name: "after",
        in: "query",
        description: "<machine ID>:<cursor>: of this machine only what comes after that entry.",
        isRepeated: true,
      },
      { name: "fields", in: "query", description: "all: every field of each entry.", values: ["all"] },
    ],
    body: null,
    answers: journalAnswers,
    isClassic: false,
    right: "journal",
  },
  {
    id: "Journal.Query",
    method: "POST",
    path: "journal",
    summary: "The same as Journal.Read, with its parameters in the body.",
    parameters: [],
    body: "JournalQuery",
    answers: [...journalAnswers, refused(415, "The content type is not application/json.")],
    isClassic: false,
    isRead: true,
    right: "journal",
  },
  {
    id: "Units.Status",
    method: "GET",
    path: "units/{unitName}/status",
    summary: "Show what systemd says of a unit on its machines, with its processes and last journal entries.",
    parameters: [
      UNIT_NAME,
      {
        name: "lines",
        in: "query",
        description: "How many journal entries, or all; 10 by default. At most 10,000, and the last 1 MiB.",
      },
    ],
    body: null,
    answers: [
      ok("UnitStatuses"),
      refused(400, "A parameter is not valid."),
      noRight,
      refused(404, "There is no such unit."),
      noLink,
    ],
    isClassic: false,
    right: "journal",
  },
  {
    id: "Usage.Read",
    method: "GET",
    path: "usage",
    summary: "Show what machines and their units use: CPU, memory, tasks, IO and pressure.",
    parameters: [
      { name: "machine", in: "query", description: "Only of this machine, by ID.", isRepeated: true },
      { name: "interval", in: "query", description: "Of a stream: milliseconds between samples, 200 to 60000." },
      { name: "count", in: "query", description: "Of a stream: how many samples of each machine; 0: without end." },
    ],
    body: null,
    answers: [
      {
        status: 200,
        description:
          "One sample of each machine. As server-sent events: a stream of events named sample, each a UsageSample.",
        schema: "Usage",
        otherTypes: ["text/event-stream"],
      },
      refused(400, "A parameter is not valid."),
      busy,
      noLink,
    ],
    isClassic: false,
  },
] as const satisfies readonly Operation[];
