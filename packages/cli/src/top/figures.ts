/** A percentage of one core: `0.3`, `98.0`, `1250`; `-` where there is none. */
export function percent(value: number | null): string {
  if (value === null) return "-";
  return value >= 1000 ? String(Math.round(value)) : value.toFixed(1);
}

/** A text cut or filled up to a width; what is cut ends in `~`. */
export function cell(text: string, width: number, align: "left" | "right" = "left"): string {
  const characters = [...text];
  if (characters.length > width) return width <= 0 ? "" : `${characters.slice(0, width - 1).join("")}~`;
  const space = " ".repeat(width - characters.length);
  return align === "left" ? text + space : space + text;
}
