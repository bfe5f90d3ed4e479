import type { KeptVersion, Registry, UnitRecord } from "@fleet/registry";
import { HttpError } from "../errors.ts";
import { pathParameter } from "../request-parts.ts";
import type { Handlers } from "../routes.ts";

/** The handlers of operations on the versions that units have had. */
export function versionHandlers(registry: Registry): Pick<Handlers, "Versions.List" | "Versions.Get"> {
  const read = async (name: string): Promise<readonly Told[]> => {
    const [versions, units] = await Promise.all([registry.versions(name), registry.units([name])]);
    const record = units.get(name) ?? null;
    if (record === null && versions.length === 0) throw new HttpError(404, "unit does not exist");
    return versions.map((version, index) => ({ version, isCurrent: index === 0 && isOf(version, record) }));
  };
  return {
    "Versions.List": async (request, reply) => {
      const versions = await read(pathParameter(request, "unitName"));
      return reply.send(JSON.stringify({ versions: versions.map(asJson) }));
    },
    "Versions.Get": async (request, reply) => {
      const typed = pathParameter(request, "number");
      if (!/^\d{1,9}$/.test(typed))
        throw new HttpError(400, `invalid number of a version ${JSON.stringify(typed)}: expected one of the list`);
      const versions = await read(pathParameter(request, "unitName"));
      const found = versions.find(({ version }) => version.kind === "version" && version.number === Number(typed));
      const text = found === undefined ? null : await registry.unitText(found.version);
      if (found === undefined || text === null)
        throw new HttpError(404, `there is no version ${typed} of it, or it is not kept any more`);
      return reply.send(JSON.stringify({ ...asJson(found), text }));
    },
  };
}

/** A version, and whether the unit has it. */
interface Told {
  readonly version: KeptVersion;
  readonly isCurrent: boolean;
}

function isOf({ kind, hash, source }: KeptVersion, record: UnitRecord | null): boolean {
  return kind === "version" && record?.hash === hash && (record.source ?? record.hash) === source;
}

function asJson({ version, isCurrent }: Told): object {
  const { number, kind, hash, at, by, message } = version;
  return {
    ...{ number, kind, hash, time: at },
    ...(by === null ? {} : { by }),
    ...(message === null ? {} : { message }),
    ...(isCurrent ? { current: true } : {}),
  };
}
