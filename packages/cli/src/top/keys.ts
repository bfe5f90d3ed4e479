const SEQUENCES: Readonly<Record<string, string>> = {
  "\u001b[A": "up",
  "\u001bOA": "up",
  "\u001b[B": "down",
  "\u001bOB": "down",
  "\u001b[5~": "page-up",
  "\u001b[6~": "page-down",
  "\u001b[H": "home",
  "\u001b[1~": "home",
  "\u001b[F": "end",
  "\u001b[4~": "end",
  "\u001b": "escape",
  "\u0003": "ctrl-c",
  "\t": "tab",
  "\r": "enter",
  "\n": "enter",
  "\u007f": "backspace",
  "\b": "backspace",
};

/** What a terminal sent, as the names of keys: `up`, `enter`, `ctrl-c`, or the character that was typed. */
export function keysOf(input: string): readonly string[] {
  const pattern = /\u001b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])?|[\s\S]/gu;
  return [...input.matchAll(pattern)]
    .map(([sequence]) => SEQUENCES[sequence] ?? sequence)
    .filter((key) => key.length > 0 && !/^[\0-\x1f\x7f]/.test(key));
}
