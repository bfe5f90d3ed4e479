// Starts main.ts. An older Node can't read TypeScript, and would answer with a stack trace.
const NEEDED = 24;
const { node } = process.versions;
if (Number.parseInt(node, 10) < NEEDED) {
  console.error(
    `Error: registry-client needs Node ${NEEDED} or later, and this is Node ${node}: see https://nodejs.org.`,
  );
  process.exit(1);
}
await import("./main.ts");
