// What the Debian packages hold, and what Debian is told of them: data and texts, nothing is read or written but the tree's list.
import { globSync } from "node:fs";
import { basename, join } from "node:path";
import { completionScript } from "@fleet/cli";
import { manPages } from "./man-pages.ts";

/** What Node's own build needs of Debian; `ldd` of the executables tells. */
const HELPERS = "init-system-helpers (>= 1.65)";
const MAIL = "fleet@fleet.invalid";
const OVERRIDES = ["embedded-library", "hardening-no-pie"];
const LIBRARIES = "libc6 (>= 2.28), libgcc-s1 (>= 4.2), libstdc++6 (>= 9), libatomic1 (>= 4.8)";

/** A file of this tree, or a text. */
export type FileSource = { readonly file: string } | { readonly text: string };

/** A Debian package: what is in it, and what Debian is told of it. */
export interface DebianPackage {
  readonly name: string;
  readonly isForAll: boolean;
  readonly fields: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly description: string;
  /** By path in the package: the file of this tree, or its text. */
  readonly files: Readonly<Record<string, FileSource>>;
  readonly executables?: readonly string[];
  readonly conffiles?: readonly string[];
  /** Units that systemd is told of; the first is the service. */
  readonly units: readonly string[];
}

const unitFile = (name: string): { file: string } => ({ file: `deploy/systemd/${name}` });
const UNITS = "/lib/systemd/system";

function role(
  version: string,
  name: string,
  what: string,
  units: readonly string[],
  more: Partial<DebianPackage>,
): DebianPackage {
  return {
    name,
    isForAll: true,
    summary: `distributed init system: ${what}`,
    description: `This package runs ${what} of a fleet cluster as ${units[0]}.`,
    units,
    ...more,
    fields: { Depends: `fleetd (= ${version}), ${HELPERS}`, ...more.fields },
    files: { [`${UNITS}/${units[0]}`]: unitFile(units[0] ?? ""), ...more.files },
  };
}

/**
 * All Debian packages of a version.
 *
 * @param root this tree
 * @param out where scripts/dist.ts has built to
 */
export function debianPackages(version: string, root: string, out: string): readonly DebianPackage[] {
  return [fleetdPackage(version, out), ...rolePackages(version), fleetctlPackage(version, root, out)];
}

function fleetdPackage(version: string, out: string): DebianPackage {
  const pages = manPages(version);
  return {
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
  };
}

function rolePackages(version: string): readonly DebianPackage[] {
  return [
    role(version, "fleet-agent", "the agent", ["fleet-agent.service"], {
      fields: { Depends: `fleetd (= ${version}), ${HELPERS}, dbus`, Suggests: "polkitd" },
      files: {
        "/usr/share/polkit-1/rules.d/50-fleet.rules": { file: "deploy/polkit/50-fleet.rules" },
        "/usr/lib/systemd/user/fleet-agent.service": unitFile("user/fleet-agent.service"),
        "/usr/share/doc/fleet-agent/examples/unprivileged.conf": unitFile("fleet-agent.service.d/unprivileged.conf"),
      },
    }),
    role(version, "fleet-engine", "the engine", ["fleet-engine.service"], {}),
    role(version, "fleet-api", "the API", ["fleet-api.service", "fleet.socket"], {
      files: { [`${UNITS}/fleet.socket.d/fleet-api.conf`]: unitFile("fleet.socket.d/fleet-api.conf") },
    }),
  ];
}

function fleetctlPackage(version: string, root: string, out: string): DebianPackage {
  const pages = manPages(version);
  return {
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
  };
}

/** A package's own files, with those that Debian asks of every package. */
export function filesOf(spec: DebianPackage, version: string): DebianPackage["files"] {
  const { name, isForAll, files } = spec;
  const overrides = `# A single executable carries a whole Node, as npm's package has it.\n${OVERRIDES.map((tag) => `${name}: ${tag} *\n`).join("")}`;
  return {
    ...files,
    [`/usr/share/doc/${name}/copyright`]: { text: COPYRIGHT },
    [`/usr/share/doc/${name}/changelog.gz`]: { text: changelog(version) },
    ...(isForAll ? {} : { [`/usr/share/lintian/overrides/${name}`]: { text: overrides } }),
  };
}

/**
 * The text of a package's control file.
 *
 * @param bytes the size of all its files
 */
export function controlOf(spec: DebianPackage, version: string, architecture: string, bytes: number): string {
  const head = {
    Package: spec.name,
    Source: "fleet",
    Version: version,
    Architecture: architecture,
    Maintainer: `The fleet authors <${MAIL}>`,
    "Installed-Size": String(Math.ceil(bytes / 1024)),
    ...spec.fields,
    Section: "admin",
    Priority: "optional",
  };
  const lines = Object.entries(head).map(([key, value]) => `${key}: ${value}\n`);
  return `${lines.join("")}Description: ${spec.summary}\n ${wrapped(spec.description)}\n`;
}

/** A maintainer script of a package, from its template in deploy/debian. */
export function scriptOf({ name, units }: DebianPackage, template: string): string {
  return template
    .replaceAll("@PACKAGE@", name)
    .replaceAll("@UNITS@", units.join(" "))
    .replaceAll("@SERVICE@", units[0] ?? "");
}

/** Text of a control file: lines of at most 78 characters. */
function wrapped(text: string): string {
  return text.replace(/(.{1,78})(?: |$)/g, "$1\n ").trim();
}

const COPYRIGHT = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: fleet

Files: *
Copyright: 2026 the fleet authors
License: Apache-2.0
 On Debian systems the text of this licence is in /usr/share/common-licenses/Apache-2.0.
 The executables hold Node.js and libraries; notices.gz beside this file has their licences.
`;
function changelog(version: string): string {
  return `fleet (${version}) stable; urgency=medium

  * See CHANGELOG.md of fleet ${version}.

 -- The fleet authors <${MAIL}>  Sun, 22 Nov 2026 12:00:00 +0000
`;
}
