import { done, type Operation, ok, type Parameter, refused, VIEW } from "./operation.ts";

const ROLL_ID: Parameter = { name: "rollID", in: "path", description: "Which roll, as the list of them has it." };
const otherType = refused(415, "The content type is not application/json.");

/** Requests about rolls. */
export const ROLL_OPERATIONS = [
  {
    id: "Rolls.List",
    method: "GET",
    path: "rolls",
    summary: "List the rolls that are under way, and the last that are over.",
    parameters: [VIEW],
    body: null,
    answers: [ok("Rolls")],
    isClassic: false,
  },
  {
    id: "Rolls.Create",
    method: "POST",
    path: "rolls",
    summary: "Have the engine give units new versions, or restart them, a few at a time.",
    parameters: [],
    body: "RollRequest",
    answers: [
      { status: 201, description: "It is begun.", schema: "Roll" },
      refused(400, "A unit, its text or a setting is not valid."),
      refused(409, "A unit does not run, is global, or is in another roll that is not over."),
      refused(413, "A unit is larger than unit_size_limit."),
      otherType,
    ],
    isClassic: false,
  },
  {
    id: "Rolls.Get",
    method: "GET",
    path: "rolls/{rollID}",
    summary: "Show how far a roll is.",
    parameters: [ROLL_ID, VIEW],
    body: null,
    answers: [ok("Roll"), refused(404, "There is no such roll, or it is not kept any more.")],
    isClassic: false,
  },
  {
    id: "Rolls.Order",
    method: "POST",
    path: "rolls/{rollID}",
    summary: "Pause, resume, undo or cancel a roll.",
    parameters: [ROLL_ID],
    body: "RollOrder",
    answers: [
      done("It does so."),
      refused(400, "The body is not valid."),
      refused(404, "There is no such roll, or it is not kept any more."),
      refused(409, "It can't do so as it is."),
      otherType,
    ],
    isClassic: false,
  },
] as const satisfies readonly Operation[];
