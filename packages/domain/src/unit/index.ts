/** Unit files, names, what [X-Fleet] asks for, and the states of units. Pure. */
export { InvalidUnitError, UnitFileError } from "./errors.ts";
export {
  hashText,
  hashUnitFile,
  invalidOption,
  LINE_LIMIT,
  parseUnitFile,
  serializeUnitFile,
  type UnitFileVisitor,
  type UnitOption,
  walkUnitFile,
} from "./file.ts";
export { globMatches, isGlob } from "./glob.ts";
export { type Finding, lintUnitFile } from "./lint.ts";
export { expandUnitName, isTemplateName, parseUnitName, UNIT_TYPES, type UnitName, unitNameProblem } from "./name.ts";
export {
  checkRequirements,
  FLEET_SECTION,
  isFleetOption,
  isMetadataTest,
  isNumber,
  type MetadataBound,
  MOST_WEIGHT,
  type Preferences,
  type Requirements,
  readRequirements,
  sameRequirements,
  unknownFleetOptions,
} from "./requirements.ts";
export { RequirementsCache } from "./requirements-cache.ts";
export {
  type Condition,
  type CurrentState,
  conditionOf,
  type DesiredState,
  isDesiredState,
  type SystemdStates,
} from "./states.ts";
export { isSpaceAt, trimSpace } from "./white-space.ts";
