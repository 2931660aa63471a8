// The seams as every JavaScript runtime has them: its clock, its console.
import type { Clock, Logger } from '../base/seams';

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (timer) => clearTimeout(timer as number),
  nextTurn: () => new Promise((resolve) => setTimeout(resolve, 0)),
};

/** Warnings and errors to the console; nothing else is said. */
export const consoleLogger: Logger = {
  info: () => undefined,
  warn: (message) => console.warn(`tidemark: ${message}`),
  error: (message, detail) => console.error(`tidemark: ${message}`, ...(detail === undefined ? [] : [detail])),
};
