// Builds dist/bin/fleetd and dist/bin/fleetctl: each one executable file with the runtime inside.   node
// scripts/dist.ts [--version X.Y.Z] [--out FOLDER]     another version, for tests of upgrades, into another folder
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { START_FLAGS as FLEETD_START_FLAGS } from "@fleet/fleetd/v8-flags";
import { build, type Plugin } from "esbuild";

const root = join(import.meta.dirname, "..");
const { values: asked } = parseArgs({ options: { version: { type: "string" }, out: { type: "string" } } });
const out = resolve(asked.out ?? join(root, "dist"));
const work = join(out, "work");
const bin = join(out, "bin");
const require = createRequire(join(root, "packages", "registry", "package.json"));

/**
 * A young generation of at most 2 MB, and no flag that changes compiled code: Node's own modules come compiled, and
 * would be compiled anew at each start.
 */
const FLEETCTL_FLAGS = ["--max-semi-space-size=2"];

const PROGRAMS: readonly Program[] = [
  {
    name: "fleetd",
    entry: "packages/fleetd/dist/main.js",
    flags: FLEETD_START_FLAGS,
    threads: { "heartbeat-worker.cjs": "packages/fleetd/dist/heartbeat-worker.js" },
  },
  { name: "fleetctl", entry: "packages/cli/dist/main.js", flags: FLEETCTL_FLAGS, threads: {} },
];

interface Program {
  readonly name: string;
  readonly entry: string;
  readonly flags: readonly string[];
  /** Programs of its threads, by the name of the asset that they are in the executable. */
  readonly threads: Readonly<Record<string, string>>;
}

/**
 * What libraries read from disk or need only for what fleet never does. etcd3 reads rpc.proto beside its own file,
 * which a single executable does not have: its parsed form is embedded. dbus-next needs xml2js for introspection only
 * and usocket for passing descriptors only.
 */
const embed: Plugin = {
  name: "embed",
  setup({ onResolve, onLoad }) {
    const contents: Record<string, string> = {
      "etcd3-descriptor": etcdDescriptor(),
      "etcd3-proto-loader": `
        import descriptor from "etcd3-descriptor";
        import { serviceDefinitions } from ${JSON.stringify(join(root, "scripts", "embedded-proto-loader.ts"))};
        export const loadSync = (_file, options) => serviceDefinitions(descriptor, options);`,
      xml2js:
        "class None { parseString(text, done) { done(new Error('introspection is left out')); } } exports.Parser = exports.Builder = None;",
      usocket: "throw Object.assign(new Error('usocket is left out'), { code: 'MODULE_NOT_FOUND' });",
      x11: "module.exports = null;",
    };
    onResolve({ filter: /^(etcd3-descriptor|xml2js|usocket|x11)$/ }, ({ path }) => ({ path, namespace: "embedded" }));
    onLoad({ filter: /.*/, namespace: "embedded" }, ({ path }) => ({
      contents: contents[path] ?? "",
      loader: path === "etcd3-descriptor" ? "json" : "js",
      resolveDir: root,
    }));
    if (asked.version !== undefined) {
      const contents = `export const VERSION = ${JSON.stringify(asked.version)};`;
      onLoad({ filter: /\/config\/dist\/version\.js$/ }, () => ({ contents, loader: "js" }));
    }
    onResolve({ filter: /^@grpc\/proto-loader$/ }, ({ importer }) =>
      importer.includes("/etcd3/")
        ? { path: "etcd3-proto-loader", namespace: "embedded" }
        : { path: "usocket", namespace: "embedded" },
    );
  },
};

function etcdDescriptor(): string {
  const { Root } = require("protobufjs") as typeof import("protobufjs");
  const proto = join(dirname(dirname(require.resolve("etcd3"))), "proto", "rpc.proto");
  // keepCase as etcd3 itself asks for: its messages are written with the names of the file.
  return JSON.stringify(new Root().loadSync(proto, { keepCase: true }).resolveAll().toJSON());
}

/** The licences of the libraries that an executable holds, from the files that went in. */
function notices(inputs: readonly string[]): string {
  const folders = new Set(inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0] ?? []));
  const found = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
    const file = readdirSync(join(root, folder)).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file === undefined ? "" : readFileSync(join(root, folder, file), "utf8").trim();
    return `${name} ${version} (${license ?? "see below"})\n\n${text}`;
  });
  const runtime = `Node.js ${process.version} (MIT; https://github.com/nodejs/node/blob/main/LICENSE)`;
  return `${[runtime, ...found].join(`\n\n${"-".repeat(72)}\n\n`)}\n`;
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

mkdirSync(work, { recursive: true });
mkdirSync(bin, { recursive: true });
const node = join(work, "node");
copyFileSync(process.execPath, node);
try {
  execFileSync("strip", ["--strip-all", node]); // before the program goes in: afterwards it would cut it off
} catch {
  console.warn("strip (Debian package binutils) is not there: the executables are some 30 MB larger");
}
/** Bundles a program and what it imports into one file; returns the files that went in. */
async function bundle(entry: string, outfile: string): Promise<readonly string[]> {
  const { metafile } = await build({
    metafile: true,
    entryPoints: [join(root, entry)],
    outfile,
    bundle: true,
    platform: "node",
    target: "node26",
    format: "cjs",
    minify: true,
    keepNames: false,
    legalComments: "none",
    // A program in an executable has no URL.
    define: { "process.env.NODE_ENV": '"production"', "import.meta.url": '""' },
    plugins: [embed],
    logLevel: "warning",
  });
  // V8 keeps the whole source resident, at two bytes a character if a single one is beyond ASCII: esbuild leaves those
  // that stand in regular expressions.
  writeFileSync(outfile, readFileSync(outfile, "utf8").replace(/[^\0-\x7f]/g, escaped));
  return Object.keys(metafile.inputs);
}

for (const { name, entry, flags, threads } of PROGRAMS) {
  const main = join(work, `${name}.cjs`);
  const config = join(work, `${name}.json`);
  const output = join(work, name);
  writeFileSync(join(work, `${name}.notices`), notices(await bundle(entry, main)));
  // A thread uses what its program uses: its libraries are in the notices already.
  for (const [asset, file] of Object.entries(threads)) await bundle(file, join(work, asset));
  const sea = {
    main,
    mainFormat: "commonjs",
    executable: node,
    output,
    disableExperimentalSEAWarning: true,
    useSnapshot: false,
    useCodeCache: true,
    execArgv: flags,
    execArgvExtension: "none",
    assets: Object.fromEntries(Object.keys(threads).map((asset) => [asset, join(work, asset)])),
  };
  writeFileSync(config, JSON.stringify(sea));
  // The code cache is only good under the flags it was made with.
  execFileSync(process.execPath, [...flags, "--build-sea", config], { stdio: ["ignore", "ignore", "inherit"] });
  // Copied, not moved: as node writes it, each process that runs it has 25 MB more resident until the pages are
  // dropped.
  const target = join(bin, name);
  rmSync(target, { force: true });
  copyFileSync(output, target);
  rmSync(output);
  console.log(`${target} ${(statSync(target).size / 1e6).toFixed(1)} MB`);
}
