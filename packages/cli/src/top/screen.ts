/** The user's terminal as a whole: what is drawn replaces what was there. */
export interface Screen {
  size(): { readonly columns: number; readonly rows: number };
  /** Shows these lines, of which there are as many as the screen has rows. Only lines that differ are written. */
  draw(lines: readonly string[]): void;
  /** Calls back for what is typed, as the terminal sends it, and for a change of its size. Returns how to end that. */
  listen(onInput: (text: string) => void, onResize: () => void): () => void;
  /** Gives the terminal back as it was. */
  close(): void;
}

const ENTER = "\u001b[?1049h\u001b[?25l\u001b[2J";
const LEAVE = "\u001b[?25h\u001b[?1049l";

/** Takes the terminal over: the other screen of it, without echo, key by key. */
export function openScreen(input: NodeJS.ReadStream, output: NodeJS.WriteStream): Screen {
  let drawn: readonly string[] = [];
  output.write(ENTER);
  input.setRawMode(true);
  input.setEncoding("utf8");
  return {
    size: () => ({ columns: output.columns, rows: output.rows }),
    draw: (lines) => {
      const changed = lines.flatMap((line, row) =>
        line === drawn[row] ? [] : [`\u001b[${row + 1};1H${line}\u001b[K`],
      );
      if (changed.length > 0) output.write(changed.join(""));
      drawn = lines;
    },
    listen: (onInput, onResize) => {
      const resized = (): void => {
        drawn = [];
        output.write("\u001b[2J");
        onResize();
      };
      input.on("data", onInput);
      output.on("resize", resized);
      return () => {
        input.off("data", onInput);
        output.off("resize", resized);
      };
    },
    close: () => {
      input.setRawMode(false);
      input.pause();
      output.write(LEAVE);
    },
  };
}
