// Errors that several services throw. Knows nothing of them.
import { TidemarkError } from '../base/errors';

/** What was asked for is not allowed in the state that this is in. */
export class IllegalTransition extends TidemarkError {
  override readonly name = 'IllegalTransition';
  constructor(
    /** What it is of, e.g. `job 0m4k...`. */
    what: string,
    readonly from: string,
    readonly to: string,
  ) {
    super('illegal_transition', `${what} is ${from} and cannot become ${to}`);
  }
}
