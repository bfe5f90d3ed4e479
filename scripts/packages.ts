// Builds the Debian packages into dist/deb and the npm packages into dist/npm, from what scripts/dist.ts has built.
//   node --conditions=fleet-source scripts/packages.ts [--version X.Y.Z] [--out FOLDER] [--quick] [NAME…]
// --out: where dist.ts has built to; --quick: larger files, a tenth of the time; NAME: this Debian package only
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { VERSION } from "@fleet/config/version";
import {
  controlOf,
  type DebianPackage,
  debianPackages,
  type FileSource,
  filesOf,
  scriptOf,
} from "./debian-packages.ts";

const root = join(import.meta.dirname, "..");
const { values: asked, positionals: only } = parseArgs({
  allowPositionals: true,
  options: { version: { type: "string" }, out: { type: "string" }, quick: { type: "boolean", default: false } },
});
const version = asked.version ?? VERSION;
const out = resolve(asked.out ?? join(root, "dist"));
const architecture = run("dpkg", "--print-architecture").trim();

const debs = join(out, "deb");
rmSync(debs, { recursive: true, force: true });
mkdirSync(debs, { recursive: true });
for (const spec of debianPackages(version, root, out))
  if (only.length === 0 || only.includes(spec.name)) buildDebian(spec);
if (asked.version === undefined && only.length === 0) buildNpm();

function buildDebian(spec: DebianPackage): void {
  const tree = join(out, "work", "deb", spec.name);
  rmSync(tree, { recursive: true, force: true });
  let bytes = 0;
  for (const [path, source] of Object.entries(filesOf(spec, version)))
    bytes += stage(join(tree, path), source, spec.executables?.includes(path) === true);
  const arch = spec.isForAll ? "all" : architecture;
  stageControl(spec, tree, controlOf(spec, version, arch, bytes));
  const file = join(debs, `${spec.name}_${version}_${arch}.deb`);
  run("dpkg-deb", ...(asked.quick ? ["-Zgzip", "-z1"] : ["-Zxz", "-z9"]), "--root-owner-group", "--build", tree, file);
  rmSync(tree, { recursive: true });
  console.log(`${file} ${(statSync(file).size / 1e6).toFixed(2)} MB`);
}

/** Puts a file of a package where it belongs, compressed where its name says so; returns its size in bytes. */
function stage(target: string, source: FileSource, isExecutable: boolean): number {
  mkdirSync(dirname(target), { recursive: true });
  if (target.endsWith(".gz")) {
    const content = "text" in source ? source.text : readFileSync(resolve(root, source.file));
    writeFileSync(target, gzipSync(content, { level: 9 }));
  } else if ("text" in source) writeFileSync(target, source.text);
  else copyFileSync(resolve(root, source.file), target);
  chmodSync(target, isExecutable ? 0o755 : 0o644);
  return statSync(target).size;
}

/** Puts down what dpkg reads of a package whose files are staged. */
function stageControl(spec: DebianPackage, tree: string, text: string): void {
  const folder = join(tree, "DEBIAN");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "control"), text);
  const { conffiles = [] } = spec;
  if (conffiles.length > 0) writeFileSync(join(folder, "conffiles"), `${conffiles.join("\n")}\n`);
  const sums = `cd "$0" && find . -type f -not -path './DEBIAN/*' -printf '%P\\0' | sort -z | xargs -0 md5sum`;
  writeFileSync(join(folder, "md5sums"), run("sh", "-c", sums, tree));
  if (spec.units.length === 0) return;
  for (const script of ["postinst", "prerm", "postrm"]) {
    const own = join(root, "deploy/debian", `${spec.name}.${script}`);
    const template = readFileSync(existsSync(own) ? own : join(root, "deploy/debian", script), "utf8");
    writeFileSync(join(folder, script), scriptOf(spec, template));
    chmodSync(join(folder, script), 0o755);
  }
}

/** Libraries for tools of others, as npm takes them. */
function buildNpm(): void {
  const target = join(out, "npm");
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const name of ["config", "client", "loop", "domain", "registry"]) {
    const folder = join(out, "work", "npm", name);
    stageNpm(join(root, "packages", name), folder);
    const printed = run("npm", "pack", folder, "--pack-destination", target, "--silent", "--ignore-scripts");
    const file = join(target, printed.trim());
    console.log(`${file} ${(statSync(file).size / 1e6).toFixed(2)} MB`);
  }
}

/** What is read of a package's description. */
interface NpmManifest {
  readonly name: string;
  readonly engines: { readonly node: string };
  readonly exports: Record<string, { default: string; "fleet-source"?: string }>;
}

/** What of a package is for its users: what was built, its licence and its page; nothing that only this tree can use. */
function stageNpm(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  for (const file of globSync("dist/**/*.{js,d.ts}", { cwd: from })) {
    // Earlier builds may have left what has no source any more.
    if (!existsSync(join(from, file.replace(/^dist/, "src").replace(/(\.d)?\.[jt]s$/, ".ts")))) continue;
    mkdirSync(dirname(join(to, file)), { recursive: true });
    // Maps of sources that are not in the package would lead nowhere.
    const text = readFileSync(join(from, file), "utf8").replace(/\/\/# sourceMappingURL=.*\n?$/, "");
    writeFileSync(join(to, file), text);
  }
  for (const file of [join(root, "LICENSE"), join(from, "README.md")]) copyFileSync(file, join(to, basename(file)));
  const { scripts: _, ...description } = JSON.parse(readFileSync(join(from, "package.json"), "utf8"));
  const { exports }: NpmManifest = description;
  for (const [path, entry] of Object.entries(exports)) {
    delete entry["fleet-source"];
    // Helpers of this tree's own tests have nothing else.
    if (Object.keys(entry).length === 0) delete exports[path];
  }
  askForNode(to, description);
  writeFileSync(join(to, "package.json"), `${JSON.stringify(description, null, 2)}\n`);
}

/** Has each entry of a package say which Node it needs before an older one fails on what it lacks: npm only warns. */
function askForNode(folder: string, { name, engines, exports }: NpmManifest): void {
  const needed = Number.parseInt(engines.node.replace(">=", ""), 10);
  const text = `const { node } = process.versions;
if (Number.parseInt(node, 10) < ${needed}) {
  const error = new Error(\`${name} needs Node ${needed} or later, and this is Node \${node}: see https://nodejs.org.\`);
  error.stack = \`Error: \${error.message}\`;
  throw error;
}
`;
  writeFileSync(join(folder, "dist/needed-node.js"), text);
  for (const entry of Object.values(exports)) {
    const file = join(folder, entry.default);
    const path = relative(dirname(file), join(folder, "dist/needed-node.js"));
    // Modules are evaluated in the order of their imports.
    writeFileSync(file, `import "${path.startsWith(".") ? path : `./${path}`}";\n${readFileSync(file, "utf8")}`);
  }
}

function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8", cwd: root, stdio: ["ignore", "pipe", "inherit"] });
}
