/** Unit files, names, what [X-Fleet] asks for, and the states of units. Pure. */
export { InvalidUnitError, UnitFileError, UnitTooLargeError } from "./errors.ts";
export {
  checkUnitSize,
  hashText,
  hashUnitFile,
  invalidOption,
  joinedValue,
  parseUnitFile,
  serializeUnitFile,
  UNIT_SIZE_LIMIT,
  type UnitFileVisitor,
  type UnitOption,
  walkUnitFile,
} from "./file.ts";
export { FLEET_SECTION, fleetSectionOf, isFleetOption, unknownFleetOptions } from "./fleet-section.ts";
export { globMatches, hasWildcards, isGlob, isLiteralGlob } from "./glob.ts";
export { type Finding, type FindingInFiles, likeFindings, lintUnitFile } from "./lint.ts";
export { LINE_LIMIT } from "./logical-lines.ts";
export {
  expandUnitName,
  isTemplateName,
  NAME_LIMIT,
  OWN_UNITS,
  parseUnitName,
  refusedNameProblem,
  UNIT_TYPES,
  type UnitName,
  unitNameProblem,
} from "./name.ts";
export { missingLeaders, peerFindings, peersOf, type UnitsByName } from "./peers.ts";
export {
  checkRequirements,
  isMetadataTest,
  isNumber,
  type MetadataBound,
  MOST_CONDITION_BYTES,
  MOST_CONDITIONS,
  MOST_WEIGHT,
  type Preferences,
  type Requirements,
  readRequirements,
  sameRequirements,
} from "./requirements.ts";
export { RequirementsCache } from "./requirements-cache.ts";
export { failureText, type RunResult } from "./run-result.ts";
export { isOneshot } from "./settings.ts";
export {
  AT_REST,
  type Condition,
  type CurrentState,
  conditionOf,
  type DesiredState,
  isDesiredState,
  type SystemdStates,
} from "./states.ts";
export { isSpaceAt, trimSpace } from "./white-space.ts";
