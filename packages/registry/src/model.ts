/** Of the domain what tools need that must start quickly and never talk to etcd themselves. */
export { shortMachineID } from "@fleet/domain/cluster";
export {
  checkRequirements,
  type DesiredState,
  expandUnitName,
  type Finding,
  hashUnitFile,
  InvalidUnitError,
  isDesiredState,
  isTemplateName,
  lintUnitFile,
  parseUnitFile,
  parseUnitName,
  readRequirements,
  serializeUnitFile,
  UnitFileError,
  type UnitOption,
  unitNameProblem,
  unknownFleetOptions,
} from "@fleet/domain/unit";
