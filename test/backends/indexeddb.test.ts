// The IndexedDB backend on fake-indexeddb: the contract. The same suite runs in real engines.
import { backendContract } from '../backend-contract';
import { indexeddbWorld } from './helpers/indexeddb';

backendContract('indexeddb', () => indexeddbWorld());
