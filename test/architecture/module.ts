// Reads one TypeScript file as the architecture test needs it: what it imports, and what it asks of its surroundings.
// Knows syntax and scopes; which of it is allowed is rules.ts.
import { analyze } from 'eslint-scope';
import { parseSync, transformSync, Visitor } from 'rolldown/utils';

/** What a file says of itself. `line` counts from 1. */
export interface Module {
  readonly path: string;
  readonly lines: number;
  /** Every module that it names, also for types alone. */
  readonly imports: readonly string[];
  /** Those that are still there when types are gone. */
  readonly runtimeImports: readonly string[];
  /** Names that it uses and does not declare, types aside. */
  readonly globals: ReadonlySet<string>;
  /** Where it asks for the time or for chance: `Date.now`, `new Date()`, `Math.random`. */
  readonly impurities: readonly string[];
  /** Whether it waits: async, await, or a Promise made by itself. */
  readonly waits: boolean;
}

/** @throws SyntaxError when it is not TypeScript. */
export function readModule(path: string, source: string): Module {
  const typed = parse(path, source);
  const imports = new Set(moduleNames(typed));
  new Visitor({ TSImportType: (node) => void imports.add(node.source.value) }).visit(typed.program);

  const bare = transformSync(path, source, { lang: 'ts', target: 'esnext' });
  const untyped = parse(`${path}.js`, bare.code);
  const globals = freeNames(untyped.program);
  return {
    path,
    lines: source.trimEnd().split('\n').length,
    imports: [...imports],
    runtimeImports: moduleNames(untyped),
    globals,
    ...behaviour(untyped.program, globals),
  };
}

type Parsed = ReturnType<typeof parseSync>;

function parse(path: string, source: string): Parsed {
  const parsed = parseSync(path, source, { range: true, sourceType: 'module' });
  if (parsed.errors.length > 0) throw new SyntaxError(`${path}: ${parsed.errors[0]?.message}`);
  return parsed;
}

function moduleNames({ module, program }: Parsed): string[] {
  const names = module.staticImports.map((found) => found.moduleRequest.value);
  for (const { entries } of module.staticExports)
    for (const { moduleRequest } of entries) if (moduleRequest) names.push(moduleRequest.value);
  new Visitor({
    ImportExpression({ source }) {
      names.push(source.type === 'Literal' ? String(source.value) : '(computed)');
    },
  }).visit(program);
  return [...new Set(names)];
}

function freeNames(program: Parsed['program']): Set<string> {
  const scopes = analyze(program as unknown as Parameters<typeof analyze>[0], {
    ecmaVersion: 2022,
    sourceType: 'module',
  });
  return new Set(scopes.globalScope?.through.map((reference) => reference.identifier.name as string));
}

function behaviour(program: Parsed['program'], globals: ReadonlySet<string>): Pick<Module, 'impurities' | 'waits'> {
  const impurities = new Set<string>();
  let waits = globals.has('Promise');
  const wait = (found: boolean): void => {
    waits ||= found;
  };
  // A name that is declared anywhere in the file is not in `globals` unless the real one is used as well: then both count.
  const isGlobal = (node: { type: string; name?: unknown }, name: string): boolean =>
    node.type === 'Identifier' && node.name === name && globals.has(name);
  const isDate = (node: { type: string; name?: unknown }): boolean => isGlobal(node, 'Date');
  const isMath = (node: { type: string; name?: unknown }): boolean => isGlobal(node, 'Math');
  new Visitor({
    MemberExpression({ object, property, computed }) {
      const name = !computed && property.type === 'Identifier' ? property.name : '[]';
      if (isDate(object) && (name === 'now' || computed)) impurities.add(`Date.${name}`);
      if (isMath(object) && (name === 'random' || computed)) impurities.add(`Math.${name}`);
    },
    NewExpression({ callee, arguments: given }) {
      if (isDate(callee) && given.length === 0) impurities.add('new Date()');
    },
    CallExpression({ callee }) {
      if (isDate(callee)) impurities.add('Date()');
    },
    VariableDeclarator({ init }) {
      if (init && (isDate(init) || isMath(init))) impurities.add(`another name for ${isDate(init) ? 'Date' : 'Math'}`);
    },
    AwaitExpression: () => wait(true),
    FunctionDeclaration: (node) => wait(node.async),
    FunctionExpression: (node) => wait(node.async),
    ArrowFunctionExpression: (node) => wait(node.async),
    ForOfStatement: (node) => wait(node.await),
  }).visit(program);
  return { impurities: [...impurities], waits };
}
