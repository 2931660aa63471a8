// When a Node process is about to go: signals and beforeExit close venues in order; exit makes durable what can be in that turn.

interface Closable {
  close(): Promise<unknown>;
  writeNow(): void;
}

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
const venues = new Set<Closable>();
let closing = false;

/** Closes a venue when the process is told to go, then lets the signal take its usual course. @returns a function that takes the venue back. */
export function closeWithProcess(venue: Closable): () => void {
  if (venues.size === 0) {
    for (const signal of signals) process.on(signal, onSignal);
    process.on('beforeExit', onBeforeExit);
    process.on('exit', onExit);
  }
  venues.add(venue);
  return () => {
    if (!venues.delete(venue) || venues.size > 0 || closing) return;
    stopListening();
  };
}

function stopListening(): void {
  for (const signal of signals) process.off(signal, onSignal);
  process.off('beforeExit', onBeforeExit);
  process.off('exit', onExit);
}

/** Also those that are opened meanwhile. */
async function closeAll(): Promise<void> {
  while (venues.size > 0) await Promise.all([...venues].map((venue) => venue.close()));
}

function onSignal(signal: NodeJS.Signals): void {
  if (closing) return;
  closing = true;
  void closeAll().then(() => {
    closing = false;
    stopListening();
    // Others who listen to this signal decide themselves; if nobody does, its usual course is the end.
    const others = process.listenerCount(signal);
    if (others === 0) process.kill(process.pid, signal);
    // In this turn, since nothing else may be left that keeps the process alive until the signal comes again.
    else if (others <= watching()) process.emit(signal, signal);
  });
}

/**
 * Listeners of the package signal-exit, version 3 and 4 (many command-line tools have it). They only watch, and leave the end to whoever else
 * listens; as we do. https://github.com/tapjs/signal-exit: each version counts the other's in the same way.
 */
function watching(): number {
  const version3 = (process as { __signal_exit_emitter__?: { count?: number } }).__signal_exit_emitter__;
  const version4 = (globalThis as { [emitter: symbol]: { count?: number } | undefined })[
    Symbol.for('signal-exit emitter')
  ];
  return (version3?.count ?? 0) + (version4?.count ?? 0);
}

function onBeforeExit(): void {
  void closeAll();
}

/** process.exit(), or an exception that nobody caught: no more turns of the event loop. */
function onExit(): void {
  for (const venue of venues) {
    try {
      venue.writeNow();
    } catch {
      // There is nobody left to tell, and the others are still to be written.
    }
  }
}
