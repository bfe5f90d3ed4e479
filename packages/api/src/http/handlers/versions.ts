import { findVersion, tellVersions } from "@fleet/domain/cluster";
import type { Registry } from "@fleet/registry";
import { HttpError } from "../errors.ts";
import { pathParameter } from "../request-parts.ts";
import type { Handlers } from "../routes.ts";

/** The handlers of operations on the versions that units have had. */
export function versionHandlers(registry: Registry): Pick<Handlers, "Versions.List" | "Versions.Get"> {
  const read = async (name: string) => {
    const [versions, units] = await Promise.all([registry.versions(name), registry.units([name])]);
    const record = units.get(name) ?? null;
    if (record === null && versions.length === 0) throw new HttpError(404, "unit does not exist");
    return { versions, told: tellVersions(versions, record) };
  };
  return {
    "Versions.List": async (request, reply) => {
      const { told } = await read(pathParameter(request, "unitName"));
      return reply.send(JSON.stringify({ versions: told }));
    },
    "Versions.Get": async (request, reply) => {
      const typed = pathParameter(request, "number");
      if (!/^\d{1,9}$/.test(typed))
        throw new HttpError(
          400,
          `invalid version ${JSON.stringify(typed)}: expected a number, as in the list of the unit's versions`,
        );
      const { versions, told } = await read(pathParameter(request, "unitName"));
      const found = findVersion(versions, Number(typed));
      const text = found === null ? null : await registry.unitText(found);
      if (found === null || text === null)
        throw new HttpError(404, `version ${typed} does not exist, or is no longer kept`);
      return reply.send(JSON.stringify({ ...told[versions.indexOf(found)], text }));
    },
  };
}
