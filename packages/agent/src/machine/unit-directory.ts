import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hashText, unitNameProblem } from "@fleet/domain/unit";
import type { EtcdPosition } from "@fleet/registry";
import type { PresentUnit } from "../model/next-task.ts";

const LAUNCHED = ".launched";
/** In a file of that folder: what came of the start was not seen yet. Versions before 2.1 read its name only. */
const STARTING = "starting";
const STOPS_ON_PARTITION = ".fenced";
const STOPPED_ALONG = ".stopped-along";
const UNKNOWN = ".unknown";
const SEEN = ".seen";
const BOOT_ID = ".boot-id";
const TEMPORARY = ".new";

/**
 * The folder that holds the files of this machine's units: what is there is what this machine runs, also after a
 * restart of the agent. A marker beside a file says that systemd was told to start the unit. All is read and written
 * synchronously: the folder is in memory, where that takes a tenth of what a trip through the thread pool does.
 */
export class UnitDirectory {
  readonly path: string;

  readonly #bootIDFile: string;

  constructor(path: string, bootIDFile = "/proc/sys/kernel/random/boot_id") {
    this.path = path;
    this.#bootIDFile = bootIDFile;
  }

  /**
   * The path of a unit's file.
   *
   * @throws Error where the name is no unit's: whatever stands in etcd, no path leads out of the folder
   */
  file(name: string): string {
    return join(this.path, checked(name));
  }

  /**
   * Reads what is there, after making sure that the folder is. What an earlier boot left, where the folder is not under
   * /run, is no longer linked and does not run: it is cleared away.
   */
  read(): readonly PresentUnit[] {
    mkdirSync(join(this.path, LAUNCHED), { recursive: true, mode: 0o755 });
    const bootID = readFileSync(this.#bootIDFile, "utf8");
    const bootIDOfUnits = join(this.path, BOOT_ID);
    const known = existsSync(bootIDOfUnits) ? readFileSync(bootIDOfUnits, "utf8") : null;
    if (known !== bootID) {
      if (known !== null) this.#clear();
      writeFileSync(bootIDOfUnits, bootID);
    }
    const launched = new Set(readdirSync(join(this.path, LAUNCHED)));
    const units: PresentUnit[] = [];
    for (const name of readdirSync(this.path)) {
      if (name.endsWith(TEMPORARY)) rmSync(join(this.path, name), { force: true });
      else if (unitNameProblem(name) === null) {
        const hash = hashText(readFileSync(this.file(name), "utf8"));
        units.push({ name, hash, isLaunched: launched.has(name), isStopped: false, isUnfinished: false });
      }
    }
    return units;
  }

  /** Writes a unit's file, whole or not at all. */
  write(name: string, text: string): void {
    const temporary = this.file(name) + TEMPORARY;
    try {
      writeFileSync(temporary, text, { mode: 0o644 });
      renameSync(temporary, this.file(name));
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  }

  remove(name: string): void {
    this.markLaunched(name, null);
    this.markStopsOnPartition(name, false);
    this.markUnknown(name, false);
    rmSync(this.file(name), { force: true });
  }

  #clear(): void {
    for (const name of readdirSync(this.path)) if (unitNameProblem(name) === null) this.remove(name);
    rmSync(this.stoppedAlongFolder, { recursive: true, force: true });
  }

  /** Where the files are whose names are those of the launched units. */
  get launchedFolder(): string {
    return join(this.path, LAUNCHED);
  }
  /** Where the files are whose names are those of the units that are stopped when the machine's lease can't be renewed. */
  get stopsOnPartitionFolder(): string {
    return join(this.path, STOPS_ON_PARTITION);
  }

  /** Where the files are that name the units which systemd has stopped along with another. */
  get stoppedAlongFolder(): string {
    return join(this.path, STOPPED_ALONG);
  }

  /** Names of the units that the registry was found not to know. */
  unknown(): readonly string[] {
    const folder = join(this.path, UNKNOWN);
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  markUnknown(name: string, isUnknown: boolean): void {
    const marker = join(this.path, UNKNOWN, checked(name));
    if (!isUnknown) return rmSync(marker, { force: true });
    mkdirSync(join(this.path, UNKNOWN), { recursive: true });
    writeFileSync(marker, "");
  }

  /** How far etcd was when the registry was known whole last; null: that was not noted, or can't be read. */
  seen(): EtcdPosition | null {
    const path = join(this.path, SEEN);
    if (!existsSync(path)) return null;
    const [clusterID = "", revision = ""] = readFileSync(path, "utf8").split(" ");
    return /^\d+$/.test(revision) ? { clusterID, revision: Number(revision) } : null;
  }

  noteSeen({ clusterID, revision }: EtcdPosition): void {
    const path = join(this.path, SEEN);
    writeFileSync(path + TEMPORARY, `${clusterID} ${revision}`);
    renameSync(path + TEMPORARY, path);
  }

  /** Whether any unit is marked as one of those. */
  get hasStopsOnPartition(): boolean {
    return existsSync(this.stopsOnPartitionFolder) && readdirSync(this.stopsOnPartitionFolder).length > 0;
  }

  /** Whether systemd was told to start the unit, and nobody has stopped it since. */
  isMarkedLaunched(name: string): boolean {
    return existsSync(join(this.launchedFolder, checked(name)));
  }

  markStopsOnPartition(name: string, stopsOnPartition: boolean): void {
    const marker = join(this.stopsOnPartitionFolder, checked(name));
    if (!stopsOnPartition) return rmSync(marker, { force: true });
    mkdirSync(this.stopsOnPartitionFolder, { recursive: true });
    writeFileSync(marker, "");
  }

  /** Marks that systemd was told to start the unit, and whether it is known what came of that; null: takes the mark away. */
  markLaunched(name: string, launch: "starting" | "started" | null): void {
    const marker = join(this.path, LAUNCHED, checked(name));
    if (launch === null) rmSync(marker, { force: true });
    else writeFileSync(marker, launch === "starting" ? STARTING : "");
  }

  /** Whether systemd was told to start the unit, and nobody has seen what came of that. */
  isMarkedStarting(name: string): boolean {
    return (
      existsSync(join(this.launchedFolder, checked(name))) &&
      readFileSync(join(this.launchedFolder, name), "utf8") === STARTING
    );
  }

  /** The text of a unit's file; null where it is not there. */
  text(name: string): string | null {
    return existsSync(this.file(name)) ? readFileSync(this.file(name), "utf8") : null;
  }
}

function checked(name: string): string {
  if (name.includes("/") || unitNameProblem(name) !== null) throw new Error(`${JSON.stringify(name)} is no unit name`);
  return name;
}
