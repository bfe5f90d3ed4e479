import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** What a command printed, and how it ended. */
export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Waits for a condition. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
  what: string,
): Promise<void> {
  const endsAt = performance.now() + timeoutMs;
  for (let pauseMs = 5; !(await condition()); pauseMs = Math.min(pauseMs * 1.5, 100)) {
    if (performance.now() > endsAt) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`);
    await sleep(pauseMs);
  }
}

/** Whether a process runs; one that has ended and was not waited for does not. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** What a child process prints until it ends. */
export function collect(child: ChildProcess): Promise<Output> {
  return new Promise((resolve, reject) => {
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr?.setEncoding("utf8").on("data", (chunk) => {
      stderr += chunk;
    });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code: code ?? (signal === null ? 1 : 128), stdout, stderr }));
  });
}

/**
 * The first process of the process namespace that a command has made, as seen from here: a descendant of it that is
 * number 1 there, and nested deeper than the command itself.
 */
export async function firstOfNamespace(pid: number): Promise<number> {
  const outer = namespacePIDs(pid).length;
  let found = 0;
  const look = (): boolean => {
    const inits = descendants(pid).filter((child) => {
      const ids = namespacePIDs(child);
      return ids.length > outer && ids.at(-1) === 1;
    });
    // nsenter leads into the holder's namespace first: the host's own is the deepest.
    inits.sort((a, b) => namespacePIDs(b).length - namespacePIDs(a).length);
    found = inits[0] ?? 0;
    if (found === 0 && !isAlive(pid)) {
      throw new Error("namespaces can't be made here: is this a container without the rights for it?");
    }
    return found !== 0;
  };
  await until(look, 20_000, "a namespace to come up");
  return found;
}

function namespacePIDs(pid: number): number[] {
  try {
    const line = /^NSpid:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "";
    return line.split(/\s+/).map(Number);
  } catch {
    return [];
  }
}

function descendants(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return children === ""
      ? []
      : children.split(" ").flatMap((child) => [Number(child), ...descendants(Number(child))]);
  } catch {
    return [];
  }
}
