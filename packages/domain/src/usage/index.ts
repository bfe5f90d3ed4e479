/** What a machine uses, as files of its kernel tell it. Pure. */
export {
  cpuFigures,
  loadFigures,
  MACHINE_FILES,
  type MemoryFigures,
  memoryFigures,
  type PressureFigures,
  pressureFigures,
} from "./machine-figures.ts";
