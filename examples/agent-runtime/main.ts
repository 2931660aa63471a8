// node main.js                           goes on with what is there
// node main.js submit 20                 and takes 20 new jobs
// node main.js decide <job> retry|fail   and decides about one that was interrupted
import { type Op, openRuntime, policies } from './runtime';

const { STORE = './data/venue.etch', EFFECTS = './data/effects.jsonl' } = process.env;
const [verb, what, how] = process.argv.slice(2);

const { jobs, asked, submit, decide } = await openRuntime({ store: STORE, effects: EFFECTS });
jobs.subscribe(({ id, op, status }) => console.log(id, op, status));
for (const { id, op } of asked) if (id !== what) console.log(id, op, 'was interrupted: decide about it');

if (verb === 'decide') await decide(what!, how === 'retry' ? 'retry' : 'fail');
const ops = Object.keys(policies) as Op[];
for (let n = 0; verb === 'submit' && n < Number(what); n++) {
  const { id } = await submit(ops[n % ops.length]!, { item: `item ${n}`, soldOut: n % 4 === 3 });
  console.log(id, 'submitted');
}
// When all is done the process ends: nothing waits, and the venue closes.
