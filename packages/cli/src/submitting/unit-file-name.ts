import { UNIT_TYPES } from "@fleet/domain/unit";

/** Files of podman's that its generator turns into units. */
const QUADLET_TYPES: ReadonlySet<string> = new Set([
  ...["container", "volume", "network", "pod", "kube", "image", "build", "artifact"],
]);

/**
 * Why a local file's name says that it is no unit file; null: it may be one. A name without any type is fine, as that of
 * a service.
 */
export function unitFileNameProblem(path: string): string | null {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const type = name.includes(".") ? name.slice(name.lastIndexOf(".") + 1) : null;
  if (type === null || UNIT_TYPES.some((known) => known === type)) return null;
  if (QUADLET_TYPES.has(type))
    return `${path} is a Quadlet file, not a unit: generate a service from it with podman's generator, and submit that`;
  if (/\.d\/[^/]+\.conf$/.test(path))
    return `${path} is a drop-in, not a unit: put its options into the unit's own file, and submit that`;
  return `${path} is not a unit file: expected a name that ends in a unit type, as in ${name}.service`;
}
