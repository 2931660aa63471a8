// The control: what a page does that writes well, by everything but what was measured here: one IndexedDB put of the
// whole in the event, with commit(), and nothing else. It must lose something, or the tests would notice nothing.
import { countFound, goForGood, leave, notesOf, type Typing, type Way } from './typed';

const opened = (name: string): Promise<IDBDatabase> =>
  new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore('notes');
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

let database: IDBDatabase;

const control = {
  async open(name: string): Promise<void> {
    goForGood();
    database = await opened(name);
  },

  typeAndLeave(typed: Typing, way: Way, url: string): void {
    const notes = Object.fromEntries(notesOf(typed));
    addEventListener('pagehide', () => {
      const transaction = database.transaction('notes', 'readwrite');
      transaction.objectStore('notes').put(notes, 'all');
      transaction.commit();
    });
    leave(way, url);
  },

  async count(name: string, typed: Typing): Promise<{ typed: number; found: number }> {
    const found = await opened(name);
    const request = found.transaction('notes').objectStore('notes').get('all');
    await new Promise((resolve, reject) => {
      request.onsuccess = resolve;
      request.onerror = () => reject(request.error);
    });
    found.close();
    return countFound(typed, (key) => request.result?.[key]);
  },
};

export type ControlPage = typeof control;
Object.assign(globalThis, { tidemarkTest: control });
