import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** This machine can't be told from others. The message says which file is wrong and what to do. */
export class IdentityError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "IdentityError";
  }
}

const MACHINE_ID_FILE = "/etc/machine-id";
const BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id";

/**
 * The ID of this machine, 32 hex digits.
 *
 * @throws IdentityError
 */
export function readMachineID(file = MACHINE_ID_FILE): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new IdentityError(`${file} can't be read: run systemd-machine-id-setup to make one`, error);
  }
  if (!/^[0-9a-f]{32}$/.test(text)) {
    throw new IdentityError(
      `${file} does not hold a machine ID (32 hex digits): run systemd-machine-id-setup to make one`,
    );
  }
  return text;
}

/**
 * Tells this run of the machine from a clone with the same machine ID, and knows itself again after the agent was
 * restarted: kept where a reboot wipes it, beside the boot ID, for the case that it does not.
 *
 * @param directory where to keep it, under /run
 */
export function readInstanceID(directory: string, bootIDFile = BOOT_ID_FILE): string {
  const bootID = readFileSync(bootIDFile, "utf8").trim();
  const file = join(directory, "instance-id");
  try {
    const [storedBoot, stored] = readFileSync(file, "utf8").trim().split(" ");
    if (storedBoot === bootID && stored) return stored;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const id = randomUUID();
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${bootID} ${id}\n`);
  renameSync(`${file}.new`, file);
  return id;
}
