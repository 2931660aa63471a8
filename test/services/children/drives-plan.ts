// What the program that works on a drive writes, and what it is told: for itself and for the test that kills it.

export interface DrivesOptions {
  store: string;
  trace: string;
}

export const filesEach = 8;
export const filesMany = 100;
/** Every other one is large, and in a blob. */
export const contentOf = (generation: number, i: number): string => `${generation} ${i} `.repeat(i % 2 ? 10_000 : 10);
