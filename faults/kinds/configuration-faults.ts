import { type Fault, LEADING, lasting, on } from "../target.ts";

const FILE = "/etc/fleet/fleet.conf";
/** What a file may look like while somebody is at it. Each is a shell command; what was there is beside it meanwhile. */
const BROKEN: Readonly<Record<string, string>> = {
  missing: `rm ${FILE}`,
  empty: `: >${FILE}`,
  "cut off": `head -n 1 ${FILE}.whole >${FILE}`,
  "with a value that can't be used": `echo agent_ttl=never >>${FILE}`,
};
const RELOADED_MS = 30_000;

/** Of the configuration; docs/reliability.md says what they do. */
export const CONFIGURATION_FAULTS: Readonly<Record<string, Fault>> = {
  "reload with a broken file": async (target) => {
    // The other version may take what this one refuses.
    const host = target.random.pick([1, 3]);
    const services = host <= LEADING.length ? ["fleet-agent", "fleet-engine", "fleet-api"] : ["fleet-agent"];
    const service = target.random.pick(services);
    const how = target.random.pick(Object.keys(BROKEN));
    const reload = `systemctl reload ${service} >/dev/null 2>&1 && echo taken || echo refused`;
    const answer = await on(target, host, `cp ${FILE} ${FILE}.whole; ${BROKEN[how]}; ${reload}`);
    await lasting(target, 1, 4);
    await on(target, host, `mv ${FILE}.whole ${FILE}`);
    if (answer !== "refused")
      target.history.break(6, `h${host}: ${service} took a fleet.conf that was ${how}: ${answer}`);
    const isTaken = async (): Promise<boolean> => (await on(target, host, reload)) === "taken";
    await target.cluster.until(`${service} of h${host} to take its configuration again`, isTaken, RELOADED_MS);
    return `${service} of h${host} was told to read a fleet.conf that was ${how}, and then the whole one`;
  },
};
