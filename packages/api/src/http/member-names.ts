import { SCHEMAS } from "@fleet/client/description";

/** Every member name of a request body by its lower-case form; clients may write them in any case. */
export const MEMBER_NAMES: ReadonlyMap<string, string> = new Map(
  [SCHEMAS.UnitChange, SCHEMAS.UnitOption, SCHEMAS.MetadataOperation, SCHEMAS.Cordon, SCHEMAS.Rebalance]
    .flatMap(({ properties }) => Object.keys(properties))
    .map((name) => [name.toLowerCase(), name]),
);
