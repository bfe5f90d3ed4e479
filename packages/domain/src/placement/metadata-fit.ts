import type { Metadata } from "@fleet/config";
import { isNumber, type MetadataBound, type Preferences, type Requirements } from "../unit/requirements.ts";

/** Whether a machine's metadata is what the requirements ask for. */
export function metadataFits(requirements: Requirements, metadata: Metadata): boolean {
  return unmetMetadata(requirements, metadata) === null && unmetBound(requirements, metadata) === null;
}

/** The first bound on metadata that a machine does not meet; null where it meets all. */
export function unmetBound(requirements: Requirements, metadata: Metadata): MetadataBound | null {
  return requirements.bounds.find((bound) => !meets(bound, metadata)) ?? null;
}

/** Whether a machine's metadata meets one condition. */
export function meets({ key, operator, value }: Preferences["metadata"][number], metadata: Metadata): boolean {
  const own = Object.hasOwn(metadata, key) ? metadata[key] : undefined;
  if (operator === "=") return own === value;
  if (operator === "!=") return own !== value;
  if (own === undefined || !isNumber(own)) return false;
  return operator === ">=" ? Number(own) >= Number(value) : Number(own) <= Number(value);
}

/** The first MachineMetadata requirement that a machine does not meet; null where it meets all. */
export function unmetMetadata(requirements: Requirements, metadata: Metadata): Requirements["metadata"][number] | null {
  return (
    requirements.metadata.find(({ key, values }) => {
      const own = Object.hasOwn(metadata, key) ? metadata[key] : undefined;
      return own === undefined || !values.includes(own);
    }) ?? null
  );
}
