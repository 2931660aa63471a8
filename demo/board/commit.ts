// The last commit that is durable: its hash, which names the root, its signature, and who signed. Told by the venue's events.
import type { SweepInfo, Venue } from 'tidemark';
import { byId, bytes, counted, write } from './dom';

/** Long ones are cut in the middle; all of it is in the title, and can be selected. */
function showLong(id: string, text: string): void {
  const element = byId(id);
  element.title = text;
  write(element, text.length > 44 ? `${text.slice(0, 20)}…${text.slice(-12)}` : text);
}

/** @param signatureOf the signature on the commit of a hash */
export function showCommits(venue: Venue, signatureOf: (hash: string) => string | undefined): void {
  showLong('signer', venue.did);
  venue.on('sweep', ({ hash, entries, bytes: size }: SweepInfo) => {
    showLong('root', hash);
    showLong('signature', signatureOf(hash) ?? '');
    write(byId('commit-what'), `${counted(entries, 'entry', 'entries')}, ${bytes(size)}`);
  });
}
