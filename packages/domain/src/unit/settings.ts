import { joinedValue, type UnitOption } from "./file.ts";
import { parseUnitName } from "./name.ts";

/** What a unit's file sets, as systemd counts it: an empty value takes back all before it. */
export class Settings {
  readonly #values = new Map<string, string[]>();

  constructor(options: readonly UnitOption[]) {
    for (const { section, name, value } of options) {
      if (!READ_SECTIONS.has(section)) continue;
      const key = `${section}.${name}`;
      const joined = joinedValue(value);
      if (joined === "") this.#values.delete(key);
      else {
        const values = this.#values.get(key);
        if (values === undefined) this.#values.set(key, [joined]);
        else values.push(joined);
      }
    }
  }

  all(section: string, name: string): readonly string[] {
    return this.#values.get(`${section}.${name}`) ?? [];
  }
  has(section: string, ...names: readonly string[]): boolean {
    return names.some((name) => this.#values.has(`${section}.${name}`));
  }
  /** The last value that is one of those that systemd knows; null: none, or its default. */
  last(section: string, name: string, isKnown: (value: string) => boolean = () => true): string | null {
    return this.all(section, name).findLast(isKnown) ?? null;
  }
  isTrue(section: string, name: string): boolean {
    return TRUE.test(this.last(section, name, (value) => TRUE.test(value) || FALSE.test(value)) ?? "");
  }
}

/** The sections that any rule asks of. */
const READ_SECTIONS = new Set(["Unit", "Service", "Socket", "Timer", "Path", "Mount", "Automount", "Swap"]);
const TRUE = /^(1|yes|y|true|t|on)$/i;
const FALSE = /^(0|no|n|false|f|off)$/i;
const SERVICE_TYPES = new Set(["simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"]);

/** The type that systemd takes a service for. */
export function serviceType(file: Settings): string {
  const type = file.last("Service", "Type", (value) => SERVICE_TYPES.has(value));
  if (type !== null) return type;
  if (file.has("Service", "BusName")) return "dbus";
  return file.has("Service", "ExecStart") ? "simple" : "oneshot";
}

/** Whether a unit does its work once and ends: a service of Type=oneshot that is not active any more afterwards. */
export function isOneshot(name: string, options: readonly UnitOption[]): boolean {
  if (parseUnitName(name)?.type !== "service") return false;
  const file = new Settings(options);
  return serviceType(file) === "oneshot" && !file.isTrue("Service", "RemainAfterExit");
}
