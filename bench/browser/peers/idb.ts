// Promises for the three events of IndexedDB that the limits and a peer's preparation need. Knows no records.
export const settledRequest = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export const settledTransaction = (transaction: IDBTransaction): Promise<void> =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });

/** @param store made when the database is new. */
export function openDatabase(name: string, store?: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name);
  if (store) request.onupgradeneeded = () => request.result.createObjectStore(store);
  return settledRequest(request);
}
