// Values <-> JSON: what may be stored, and how what JSON lacks is written. docs/FORMAT.md "Values". Pure functions.

import { fromBase64url, toBase64url } from '../base/bytes';

/** Deeper than this is a cycle or close to one: JSON.stringify would overflow the stack at a few thousand. */
const depthMax = 1000;
/** The reserved key of tagged objects. */
const tag = '$';

/** What is wrong with a value, and where in it. */
export interface Refusal {
  path: string;
  why: string;
}

/** What the last call of `storable` found out; one object, because a fresh one per set() would cost as much as the check. */
export const found = {
  /** Encoded size in bytes, estimated: never less than a sixth of the exact one. */
  size: 0,
  /** Whether it needs tags, i.e. is not plain JSON. */
  tagged: false,
  refusal: undefined as Refusal | undefined,
};

let mustCopy = false;
let seekAccessors = false;

/**
 * Checks a value. Returns what to keep: the value itself where it is plain JSON; a copy where JSON would change it (undefined in it is dropped, or null in
 * an array), or where freezing would not protect it (Uint8Array, Date, Map, Set). Sets `found`; a refused value sets `found.refusal`.
 * @param accessors refuse getters, too: they are asked again at the sweep. Costs more than all other checks together.
 */
export function storable(value: unknown, accessors = false): unknown {
  seekAccessors = accessors;
  found.tagged = false;
  found.refusal = undefined;
  mustCopy = false;
  found.size = value === undefined ? refuse('is undefined (delete() removes an entry)') : measure(value, 0);
  return mustCopy && found.refusal === undefined ? copy(value) : value;
}

/** The estimated size, or REFUSED. */
function measure(value: unknown, depth: number): number {
  switch (typeof value) {
    case 'string':
      return value.length + 2;
    case 'number':
      // value - value is 0 only for finite numbers: one test for NaN and both infinities.
      if (value - value !== 0 || (value === 0 && 1 / value < 0)) found.tagged = true;
      return 8;
    case 'boolean':
      return 5;
    case 'undefined':
      mustCopy = true;
      return 4;
    case 'bigint':
      found.tagged = true;
      return 20 + value.toString().length;
    case 'object':
      if (value === null) return 4;
      if (depth > depthMax) return refuse(`is nested deeper than ${depthMax} levels, or a cycle`);
      return Array.isArray(value)
        ? measureMembers(value, depth)
        : isPlain(value)
          ? measurePlain(value, depth)
          : measureOther(value, depth);
    default:
      return refuse(`is a ${typeof value}`);
  }
}

function measurePlain(value: object, depth: number): number {
  // One that for-in does not show.
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return refuse('has a toJSON of its own');
  let sum = 3;
  for (const key in value) {
    if (seekAccessors && Object.getOwnPropertyDescriptor(value, key)?.get) {
      refuse('is a getter');
      return at(`.${key}`);
    }
    const member = (value as Record<string, unknown>)[key];
    // Strings are most of what is stored; without the call this loop takes half the time.
    const size = typeof member === 'string' ? member.length + 2 : measure(member, depth + 1);
    if (size < 0) return at(`.${key}`);
    if (key === tag) found.tagged = true;
    sum += size + key.length + 3;
  }
  return sum;
}

function measureMembers(members: readonly unknown[], depth: number): number {
  if ((members as { toJSON?: unknown }).toJSON !== undefined) return refuse('is an array with a toJSON of its own');
  // An Array.prototype, also another realm's, has one prototype above it; that of a class that extends Array has two.
  const prototype = Object.getPrototypeOf(members);
  const above = prototype && Object.getPrototypeOf(prototype);
  if (!above || Object.getPrototypeOf(above) !== null) return refuse(instance(members));
  let sum = 3;
  for (let i = 0; i < members.length; i++) {
    const size = measure(members[i], depth + 1);
    if (size < 0) return at(`[${i}]`);
    sum += size + 1;
  }
  return sum;
}

function measureOther(value: object, depth: number): number {
  found.tagged = true;
  mustCopy = true;
  if (value instanceof Uint8Array) return value.length + 20;
  if (value instanceof Date) return 20;
  const members = value instanceof Map ? [...value].flat() : value instanceof Set ? [...value] : undefined;
  if (!members) return refuse(instance(value));
  // There is no JSON rule for undefined in these to follow.
  const size = members.includes(undefined) ? refuse('has a member undefined') : measureMembers(members, depth);
  return size < 0 ? size : size + 20;
}

const instance = (value: object) => `is an instance of ${value.constructor?.name || 'a class'}`;

const REFUSED = -1;

function refuse(why: string): number {
  found.refusal = { path: '', why };
  return REFUSED;
}

/** A step on the way to what is refused. */
function at(step: string): number {
  // The outermost steps of a cycle's path say enough.
  found.refusal!.path = (step + found.refusal!.path).slice(0, 80);
  return REFUSED;
}

/** Object literals, objects without a prototype, and literals of another realm (an iframe's, a vm's). */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return (
    prototype === Object.prototype ||
    prototype === null ||
    (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf'))
  );
}

function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return Array.from(value, (member) => (member === undefined ? null : copy(member)));
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (value instanceof Date) return new Date(value);
  if (value instanceof Map) return new Map(Array.from(value, ([key, member]) => [copy(key), copy(member)]));
  if (value instanceof Set) return new Set(Array.from(value, copy));
  return mapMembers(value, copy);
}

function mapMembers(value: object, change: (member: unknown) => unknown): object {
  const pairs: [string, unknown][] = [];
  for (const [key, member] of Object.entries(value)) if (member !== undefined) pairs.push([key, change(member)]);
  return Object.fromEntries(pairs); // defines properties, so that a key "__proto__" stays a key
}

/** A stored value as JSON can write it. Only needed for values that `storable` found to be `tagged`. */
export function toTagged(value: unknown): unknown {
  const wrap = (kind: string, content: unknown) => ({ [tag]: [kind, content] });
  switch (typeof value) {
    case 'number':
      if (value - value === 0 && !(value === 0 && 1 / value < 0)) return value;
      return wrap('number', Object.is(value, -0) ? '-0' : String(value));
    case 'bigint':
      return wrap('bigint', String(value));
    case 'object':
      break;
    default:
      return value;
  }
  if (value === null) return value;
  if (Array.isArray(value)) return value.map(toTagged);
  if (value instanceof Uint8Array) return wrap('bytes', toBase64url(value));
  if (value instanceof Date) return wrap('date', Number.isNaN(value.getTime()) ? null : value.getTime());
  if (value instanceof Map)
    return wrap(
      'map',
      Array.from(value, ([key, member]) => [toTagged(key), toTagged(member)]),
    );
  if (value instanceof Set) return wrap('set', Array.from(value, toTagged));
  const members = mapMembers(value, toTagged);
  return Object.hasOwn(members, tag) ? wrap('object', members) : members;
}

/** The inverse of toTagged. @throws TypeError for a tag that this version does not know. */
export function fromTagged(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(fromTagged);
  if (!Object.hasOwn(json, tag)) return mapMembers(json, fromTagged);
  const [kind, content] = (json as { [tag]: [string, never] })[tag];
  switch (kind) {
    case 'bytes':
      return fromBase64url(content);
    case 'date':
      return new Date(content ?? Number.NaN);
    case 'bigint':
      return BigInt(content);
    case 'number':
      return Number(content);
    case 'map':
      return new Map((content as [unknown, unknown][]).map(([key, member]) => [fromTagged(key), fromTagged(member)]));
    case 'set':
      return new Set((content as unknown[]).map(fromTagged));
    case 'object':
      return mapMembers(content, fromTagged);
    default:
      throw new TypeError(`unknown tag ${JSON.stringify(kind)}`);
  }
}

/** The JSON of a value as it is stored: equal exactly for equal values (members in the same order). */
export const textOf = (value: unknown): string => JSON.stringify(toTagged(value));

/** Freezes plain objects and arrays all the way down, also within a Map or Set. What freezing cannot protect was copied by `storable`. */
export function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || value instanceof Date) return value;
  // What is frozen already may have members that are not.
  if (value instanceof Map) for (const pair of value) pair.forEach(deepFreeze);
  else if (Array.isArray(value) || value instanceof Set) value.forEach(deepFreeze);
  else for (const key in value) deepFreeze((value as Record<string, unknown>)[key]);
  return Object.freeze(value);
}
