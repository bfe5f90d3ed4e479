const UNITS = ["B", "K", "M", "G", "T", "P"];

/** Bytes as systemd writes them: `512B`, `1.2M`. */
export function bytesText(bytes: number): string {
  let scaled = Math.max(0, bytes);
  let unit = 0;
  while (scaled >= 1024 && unit < UNITS.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${unit === 0 ? Math.round(scaled) : scaled.toFixed(1)}${UNITS[unit]}`;
}

/** CPU time in milliseconds as systemd writes it: `12ms`, `1.234s`, `2min 3.400s`, `1h 2min 3s`. */
export function cpuText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(3)}s`;
  const minutes = Math.floor(ms / 60_000);
  const rest = (ms % 60_000) / 1_000;
  if (minutes < 60) return `${minutes}min ${rest.toFixed(3)}s`;
  return `${Math.floor(minutes / 60)}h ${minutes % 60}min ${Math.round(rest)}s`;
}

const SPANS: readonly (readonly [name: string, seconds: number])[] = [
  ["day", 86_400],
  ["h", 3_600],
  ["min", 60],
  ["s", 1],
];

/** A span of seconds by its two largest parts: `5 days 3h`, `4min 2s`, `0s`. */
export function spanText(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const first = SPANS.findIndex(([, size]) => whole >= size);
  if (first < 0) return "0s";
  const parts: string[] = [];
  let left = whole;
  for (const [name, size] of SPANS.slice(first, first + 2)) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(name === "day" ? `${count} ${count === 1 ? "day" : "days"}` : `${count}${name}`);
  }
  return parts.join(" ");
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** A moment in this process's time zone, as systemd writes it: `Thu 2026-01-01 12:00:00 CET`. */
export function momentText(date: Date): string {
  const two = (number: number): string => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  const parts = new Intl.DateTimeFormat("en", { timeZoneName: "short" }).formatToParts(date);
  return `${DAYS[date.getDay()]} ${day} ${time} ${parts.find(({ type }) => type === "timeZoneName")?.value ?? ""}`;
}
