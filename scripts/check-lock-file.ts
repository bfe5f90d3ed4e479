// Fails where package-lock.json is not enough for `npm ci` on every system, or names the registry that it was written by.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** What is looked at of an entry of package-lock.json, lockfileVersion 3; its key is its folder. */
interface LockedPackage {
  readonly link?: boolean;
  readonly integrity?: string;
  readonly libc?: readonly string[];
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
type LockedPackages = Readonly<Record<string, LockedPackage>>;

/** The tree to check: this one, or another. */
const ROOT = resolve(process.argv[2] ?? join(import.meta.dirname, ".."));

const { packages } = readJson("package-lock.json") as { packages: LockedPackages };
const { overrides = {} } = readJson("package.json") as { overrides?: Readonly<Record<string, unknown>> };
const problems = problemsOf(packages, leftOut(overrides));
for (const problem of problems) console.error(`Error: package-lock.json ${problem}`);
if (problems.length > 0)
  console.error(
    "In a clone without node_modules, run `npm install --package-lock-only` of npm 11 on the lock file as it was before.",
  );
process.exit(problems.length > 0 ? 1 : 0);

function readJson(name: string): unknown {
  return JSON.parse(readFileSync(join(ROOT, name), "utf8"));
}

/** Packages that an override points at a folder that is not there, so that npm installs what may lack them without. */
function leftOut(overridden: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  return new Set(Object.keys(overridden).filter((name) => overridden[name] === "file:left-out"));
}

function problemsOf(locked: LockedPackages, without: ReadonlySet<string>): string[] {
  return Object.entries(locked).flatMap(([path, entry]) => {
    const found: string[] = [];
    if (path.includes("node_modules/") && entry.link !== true && entry.integrity === undefined)
      found.push(`has no integrity for ${path}`);
    // npm 10 writes no libc; without it each install on Linux fetches the binaries for musl and for glibc.
    if (/-(musl|gnu)$/.test(path) && entry.libc === undefined) found.push(`does not say which libc ${path} is for`);
    if (entry.resolved !== undefined && /^[a-z+]+:|^\/\//i.test(entry.resolved))
      found.push(`says where ${path} was fetched (resolved): .npmrc is to keep that out`);
    for (const name of Object.keys(entry.optionalDependencies ?? {}))
      if (!without.has(name) && !isLocked(locked, path, name))
        found.push(`lacks ${name}, which ${path === "" ? "the root" : path} needs on some system`);
    return found;
  });
}

/** Whether a dependency is found as Node finds it: in node_modules of its dependent's folder, or of one above. */
function isLocked(locked: LockedPackages, dependent: string, name: string): boolean {
  const folders = dependent === "" ? [] : dependent.split("/");
  for (let depth = folders.length; depth >= 0; depth--) {
    if ([...folders.slice(0, depth), "node_modules", name].join("/") in locked) return true;
  }
  return false;
}
