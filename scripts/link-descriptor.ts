// Writes packages/link/src/descriptor.ts from link.proto, so that neither a package nor an executable has to carry a parser
// and a file.   node scripts/link-descriptor.ts
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import protobuf from "protobufjs";

const folder = join(import.meta.dirname, "..", "packages", "link");
const { root } = protobuf.parse(readFileSync(join(folder, "link.proto"), "utf8"), { keepCase: false });
const json = JSON.stringify(root.resolveAll().toJSON());
writeFileSync(
  join(folder, "src", "descriptor.ts"),
  `// Made of link.proto by scripts/link-descriptor.ts.
/** The contract of the link, as protobufjs reads it. */
export const LINK_DESCRIPTOR: unknown = ${json};
`,
);
