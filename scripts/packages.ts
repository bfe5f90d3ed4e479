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
import { basename, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { completionScript } from "../packages/cli/src/completion/scripts.ts";
import { VERSION } from "../packages/config/src/version.ts";
import { manPages } from "./man-pages.ts";

const root = join(import.meta.dirname, "..");
const { values: asked, positionals: only } = parseArgs({
  allowPositionals: true,
  options: { version: { type: "string" }, out: { type: "string" }, quick: { type: "boolean", default: false } },
});
const version = asked.version ?? VERSION;
const out = resolve(asked.out ?? join(root, "dist"));
const architecture = run("dpkg", "--print-architecture").trim();
const pages = manPages(version);
/** What Node's own build needs of Debian; `ldd` of the executables tells. */
const HELPERS = "init-system-helpers (>= 1.65)";
const MAIL = "fleet@fleet.invalid";
const OVERRIDES = ["embedded-library", "hardening-no-pie"];
const LIBRARIES = "libc6 (>= 2.28), libgcc-s1 (>= 4.2), libstdc++6 (>= 9), libatomic1 (>= 4.8)";

/** A Debian package: what is in it, and what Debian is told of it. */
interface DebianPackage {
  readonly name: string;
  readonly isForAll: boolean;
  readonly fields: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly description: string;
  /** By path in the package: the file of this tree, or its text. */
  readonly files: Readonly<Record<string, { readonly file: string } | { readonly text: string }>>;
  readonly executables?: readonly string[];
  readonly conffiles?: readonly string[];
  /** Units that systemd is told of; the first is the service. */
  readonly units: readonly string[];
  /** False: the operator enables them. */
  readonly startsItself: boolean;
}

const unitFile = (name: string): { file: string } => ({ file: `deploy/systemd/${name}` });
const UNITS = "/lib/systemd/system";

function role(name: string, what: string, units: readonly string[], more: Partial<DebianPackage>): DebianPackage {
  return {
    name,
    isForAll: true,
    summary: `distributed init system: ${what}`,
    description: `This package runs ${what} of a fleet cluster as ${units[0]}.`,
    units,
    startsItself: true,
    ...more,
    fields: { Depends: `fleetd (= ${version}), ${HELPERS}`, ...more.fields },
    files: { [`${UNITS}/${units[0]}`]: unitFile(units[0] ?? ""), ...more.files },
  };
}

const PACKAGES: readonly DebianPackage[] = [
  {
    name: "fleetd",
    isForAll: false,
    fields: { Depends: `${LIBRARIES}, systemd (>= 244), ${HELPERS}`, Suggests: "etcd-server" },
    summary: "distributed init system: the daemon",
    description:
      "fleet runs systemd units on a cluster of machines. This package holds the daemon. Its fleet.service runs agent, engine and API in one process once it is enabled; fleet-agent, fleet-engine and fleet-api run one of them each.",
    files: {
      "/usr/bin/fleetd": { file: join(out, "bin/fleetd") },
      "/etc/fleet/fleet.conf": { file: "deploy/fleet.conf" },
      "/usr/lib/sysusers.d/fleet.conf": { file: "deploy/sysusers.d/fleet.conf" },
      [`${UNITS}/fleet.service`]: unitFile("fleet.service"),
      [`${UNITS}/fleet.socket`]: unitFile("fleet.socket"),
      "/usr/share/man/man8/fleetd.8.gz": { text: pages["fleetd.8"] ?? "" },
      "/usr/share/man/man5/fleet.conf.5.gz": { text: pages["fleet.conf.5"] ?? "" },
      "/usr/share/doc/fleetd/notices.gz": { file: join(out, "work/fleetd.notices") },
    },
    executables: ["/usr/bin/fleetd"],
    conffiles: ["/etc/fleet/fleet.conf"],
    units: ["fleet.service", "fleet.socket"],
    startsItself: false,
  },
  role("fleet-agent", "the agent", ["fleet-agent.service"], {
    fields: { Depends: `fleetd (= ${version}), ${HELPERS}, dbus`, Suggests: "polkitd" },
    files: {
      "/usr/share/polkit-1/rules.d/50-fleet.rules": { file: "deploy/polkit/50-fleet.rules" },
      "/usr/lib/systemd/user/fleet-agent.service": unitFile("user/fleet-agent.service"),
      "/usr/share/doc/fleet-agent/examples/unprivileged.conf": unitFile("fleet-agent.service.d/unprivileged.conf"),
    },
  }),
  role("fleet-engine", "the engine", ["fleet-engine.service"], {}),
  role("fleet-api", "the API", ["fleet-api.service", "fleet.socket"], {
    files: { [`${UNITS}/fleet.socket.d/fleet-api.conf`]: unitFile("fleet.socket.d/fleet-api.conf") },
  }),
  {
    name: "fleetctl",
    isForAll: false,
    fields: { Depends: LIBRARIES, Recommends: "openssh-client" },
    summary: "distributed init system: the command line",
    description:
      "fleetctl hands systemd units to a fleet cluster, starts and stops them there, and shows what runs where, also through SSH.",
    files: {
      "/usr/bin/fleetctl": { file: join(out, "bin/fleetctl") },
      "/usr/share/man/man1/fleetctl.1.gz": { text: pages["fleetctl.1"] ?? "" },
      "/usr/share/bash-completion/completions/fleetctl": { text: completionScript("bash") ?? "" },
      "/usr/share/zsh/vendor-completions/_fleetctl": { text: completionScript("zsh") ?? "" },
      "/usr/share/fish/vendor_completions.d/fleetctl.fish": { text: completionScript("fish") ?? "" },
      "/usr/share/fleetctl/fleetctl-inject-ssh.sh": { file: "deploy/ssh/fleetctl-inject-ssh.sh" },
      "/usr/share/fleetctl/fleetctl-remove-ssh.sh": { file: "deploy/ssh/fleetctl-remove-ssh.sh" },
      "/usr/share/doc/fleetctl/notices.gz": { file: join(out, "work/fleetctl.notices") },
      ...Object.fromEntries(
        globSync("examples/units/*.service", { cwd: root }).map((file) => [
          `/usr/share/doc/fleetctl/examples/${basename(file)}`,
          { file },
        ]),
      ),
    },
    executables: [
      "/usr/bin/fleetctl",
      "/usr/share/fleetctl/fleetctl-inject-ssh.sh",
      "/usr/share/fleetctl/fleetctl-remove-ssh.sh",
    ],
    units: [],
    startsItself: false,
  },
];

const COPYRIGHT = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: fleet

Files: *
Copyright: 2026 the fleet authors
License: Apache-2.0
 On Debian systems the text of this licence is in /usr/share/common-licenses/Apache-2.0.
 The executables hold Node.js and libraries; notices.gz beside this file has their licences.
`;
const CHANGELOG = `fleet (${version}) stable; urgency=medium

  * See CHANGELOG.md of fleet ${version}.

 -- The fleet authors <${MAIL}>  Sun, 22 Nov 2026 12:00:00 +0000
`;

const debs = join(out, "deb");
rmSync(debs, { recursive: true, force: true });
mkdirSync(debs, { recursive: true });
for (const spec of PACKAGES) if (only.length === 0 || only.includes(spec.name)) buildDebian(spec);
if (asked.version === undefined && only.length === 0) buildNpm();

function buildDebian(spec: DebianPackage): void {
  const { name, isForAll, fields, summary, description, files, executables = [], conffiles = [] } = spec;
  const tree = join(out, "work", "deb", name);
  rmSync(tree, { recursive: true, force: true });
  const all: DebianPackage["files"] = {
    ...files,
    [`/usr/share/doc/${name}/copyright`]: { text: COPYRIGHT },
    [`/usr/share/doc/${name}/changelog.gz`]: { text: CHANGELOG },
    ...(isForAll
      ? {}
      : {
          [`/usr/share/lintian/overrides/${name}`]: {
            text: `# A single executable carries a whole Node, as npm's package has it.\n${OVERRIDES.map((tag) => `${name}: ${tag} *\n`).join("")}`,
          },
        }),
  };
  for (const [path, source] of Object.entries(all)) {
    const target = join(tree, path);
    mkdirSync(dirname(target), { recursive: true });
    const from = "file" in source ? resolve(root, source.file) : null;
    if (path.endsWith(".gz")) {
      writeFileSync(target, gzipSync("text" in source ? source.text : readFileSync(from ?? ""), { level: 9 }));
    } else if (from !== null) copyFileSync(from, target);
    else if ("text" in source) writeFileSync(target, source.text);
    chmodSync(target, executables.includes(path) ? 0o755 : 0o644);
  }
  const control = join(tree, "DEBIAN");
  mkdirSync(control, { recursive: true });
  const arch = isForAll ? "all" : architecture;
  const kib = Math.ceil(Object.keys(all).reduce((sum, path) => sum + statSync(join(tree, path)).size, 0) / 1024);
  const head = {
    Package: name,
    Source: "fleet",
    Version: version,
    Architecture: arch,
    Maintainer: `The fleet authors <${MAIL}>`,
    "Installed-Size": String(kib),
    ...fields,
    Section: "admin",
    Priority: "optional",
  };
  const lines = Object.entries(head).map(([key, value]) => `${key}: ${value}`);
  writeFileSync(join(control, "control"), `${lines.join("\n")}\nDescription: ${summary}\n ${wrapped(description)}\n`);
  if (conffiles.length > 0) writeFileSync(join(control, "conffiles"), `${conffiles.join("\n")}\n`);
  const sums = run(
    "sh",
    "-c",
    `cd "$0" && find . -type f -not -path './DEBIAN/*' -printf '%P\\0' | sort -z | xargs -0 md5sum`,
    tree,
  );
  writeFileSync(join(control, "md5sums"), sums);
  if (spec.units.length > 0) {
    for (const script of ["postinst", "prerm", "postrm"]) {
      const own = join(root, "deploy/debian", `${name}.${script}`);
      const text = readFileSync(existsSync(own) ? own : join(root, "deploy/debian", script), "utf8")
        .replaceAll("@PACKAGE@", name)
        .replaceAll("@UNITS@", spec.units.join(" "))
        .replaceAll("@SERVICE@", spec.units[0] ?? "");
      writeFileSync(join(control, script), text);
      chmodSync(join(control, script), 0o755);
    }
  }
  const file = join(debs, `${name}_${version}_${arch}.deb`);
  run("dpkg-deb", ...(asked.quick ? ["-Zgzip", "-z1"] : ["-Zxz", "-z9"]), "--root-owner-group", "--build", tree, file);
  rmSync(tree, { recursive: true });
  console.log(`${file} ${(statSync(file).size / 1e6).toFixed(2)} MB`);
}

/** Text of a control file: lines of at most 78 characters. */
function wrapped(text: string): string {
  return text.replace(/(.{1,78})(?: |$)/g, "$1\n ").trim();
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
  const exports: Record<string, Record<string, string>> = description.exports;
  for (const [path, entry] of Object.entries(exports)) {
    delete entry["fleet-source"];
    // Helpers of this tree's own tests have nothing else.
    if (Object.keys(entry).length === 0) delete exports[path];
  }
  writeFileSync(join(to, "package.json"), `${JSON.stringify(description, null, 2)}\n`);
}

function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8", cwd: root, stdio: ["ignore", "pipe", "inherit"] });
}
