// Which workflows the program of traces.ts runs, for it and for whoever looks what became of them.

export interface TracesOptions {
  store: string;
  trace: string;
  /** How many lives this store has had. */
  life: number;
  /** Ends when no trace is open. */
  drains: boolean;
}

export const stepNames: readonly string[] = ['s0', 's1', 's2', 's3', 's4'];

/** A workflow by its id: whether its last step fails, and whether its compensations may be run again. */
export const kindOf = (id: string): { fails: boolean; idempotent: boolean } => {
  const n = Number(id.slice(1));
  return { fails: n % 4 > 0, idempotent: n % 4 === 3 };
};
