/**
 * The domain alone: unit files, names, requirements and states, without the storage. For programs that must start
 * quickly and never talk to etcd themselves.
 */
export { InvalidUnitError, UnitFileError } from "./errors.ts";
export { type Finding, lintUnitFile } from "./lint.ts";
export { shortMachineID } from "./machine.ts";
export { checkRequirements, readRequirements, unknownFleetOptions } from "./requirements.ts";
export { type DesiredState, isDesiredState } from "./states.ts";
export { hashUnitFile, parseUnitFile, serializeUnitFile, type UnitOption } from "./unit-file.ts";
export { expandUnitName, isTemplateName, parseUnitName, unitNameProblem } from "./unit-name.ts";
