import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { exposedPassword, readersOfPassword } from "./exposed-password.ts";

it.each([
  [0o640, 7, null],
  [0o640, 5, "group fleet"],
  [0o600, 5, null],
  [0o644, 7, "every user"],
  [0o604, 5, "every user"],
])(
  "of a file of mode %o and group %d, where the socket's group is 5, others that read it: %s",
  (mode, gid, readers) => {
    expect(readersOfPassword({ mode, gid }, 5)).toBe(readers);
    expect(readersOfPassword({ mode: 0o640, gid }, null)).toBeNull();
  },
);

it("a configuration file that every user may read is named, with what to do", () => {
  const folder = mkdtempSync(join(tmpdir(), "fleet-exposed-"));
  try {
    const path = join(folder, "fleet.conf");
    expect(exposedPassword(path)).toBeNull();
    writeFileSync(path, "etcd_password=x\n");
    chmodSync(path, 0o644);
    expect(exposedPassword(path)).toBe(
      `${path} holds etcd_password and every user may read it: run chgrp fleet-secrets ${path} && chmod 0640 ${path}`,
    );
    chmodSync(path, 0o600);
    expect(exposedPassword(path)).toBeNull();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
