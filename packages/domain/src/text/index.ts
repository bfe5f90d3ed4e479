/** Text of others, made safe to show. Pure. */
export { terminalLine, terminalText } from "./terminal-text.ts";
