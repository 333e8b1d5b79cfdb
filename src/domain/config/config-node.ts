// Walks a parsed YAML document by key, remembering the path and line of everything for messages.
// Follows aliases only where the configuration has a key, so that a document cannot make it walk for ever.
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import { hideCredentials, quoteValue } from '../../kernel/quote-value.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { CONFIG_KEYS, type ConfigSection, joinPath, suggestKey } from './config-keys.js';
import { resolveConfigText, type VariableLookup } from './config-text.js';

/** A value in the file: where it stands, and what it is. */
export interface ConfigNode {
  /** `rollout.windows[0].from`; '' at the top. */
  readonly path: string;
  readonly line: number;
  readonly content: unknown;
  readonly file: ConfigFile;
}

interface ConfigFile {
  readonly document: Document;
  readonly lines: LineCounter;
  readonly lookup: VariableLookup;
}

/** The top of a YAML 1.2 text. Throws config_syntax with the line. */
export function openConfig(text: string, lookup: VariableLookup): ConfigNode {
  const lines = new LineCounter();
  const document = parseDocument(text, { version: '1.2', schema: 'core', lineCounter: lines, prettyErrors: false });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) throw syntaxError(lines.linePos(problem.pos[0]).line, problem.message);
  if (document.directives?.yaml.explicit && document.directives.yaml.version !== '1.2') {
    throw syntaxError(1, `YAML ${document.directives.yaml.version} reads times and words differently; use YAML 1.2`);
  }
  return { path: '', line: 1, content: document.contents, file: { document, lines, lookup } };
}

/** The children of a section by key; an empty section has none. Throws unknown_config_key, invalid_config. */
export function readSection(node: ConfigNode | undefined, section: ConfigSection): ReadonlyMap<string, ConfigNode> {
  if (node === undefined || isEmpty(node)) return new Map();
  const { content, file } = node;
  if (!isMap(content)) throw invalidValue(node, 'must hold keys and values');
  const children = content.items.map((pair): readonly [string, ConfigNode] => {
    const key = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
    const child = childNode(file, joinPath(node.path, key), pair.value, lineOf(file, pair.key) ?? node.line);
    if (!CONFIG_KEYS[section].some((known) => known === key)) throw unknownKey(child, key, section);
    return [key, child];
  });
  return new Map(children);
}

/** The entries of a list. Throws invalid_config. */
export function readList(node: ConfigNode): readonly ConfigNode[] {
  const { content, file, path, line } = node;
  if (!isSeq(content)) throw invalidValue(node, 'must be a list');
  return content.items.map((item, index) => childNode(file, `${path}[${index}]`, item, line));
}

/** A single value as YAML understood it, with variables replaced in text. Throws missing_environment_variable. */
export function readScalar(node: ConfigNode): unknown {
  const written = readWritten(node);
  return typeof written === 'string' ? resolveConfigText(written, node.file.lookup, node.path) : written;
}

/** A single value as YAML understood it, its variables not replaced. Throws invalid_config for a section or a list. */
export function readWritten(node: ConfigNode): unknown {
  if (node.content === null || node.content === undefined) return null;
  if (!isScalar(node.content)) throw invalidValue(node, 'must be a single value');
  return node.content.value;
}

/** True for a key without a value. */
export function isEmpty(node: ConfigNode): boolean {
  return (isScalar(node.content) && node.content.value === null) || node.content === null || node.content === undefined;
}

/** An invalid_config that names the path, the line, the value as it was written (no URL), and what it must be. */
export function invalidValue(node: ConfigNode, rule: string, next?: string): RolloutError {
  const where = node.path === '' ? 'The configuration' : `${node.path} (line ${node.line})`;
  const shown = isScalar(node.content) ? ` is ${quoteValue(node.content.value)}, but it` : '';
  return new RolloutError('invalid_config', {
    message: isEmpty(node) ? `${where} is empty, but it ${rule}.` : `${where}${shown} ${rule}.`,
    ...(next === undefined ? {} : { next }),
  });
}

/** An invalid_config for a required key that is not there. */
export function missingValue(path: string): RolloutError {
  return new RolloutError('invalid_config', {
    message: `${path} is missing from the configuration.`,
    next: `Add ${path}.`,
  });
}

function childNode(file: ConfigFile, path: string, value: unknown, line: number): ConfigNode {
  const own = lineOf(file, value) ?? line;
  const content = isAlias(value) ? value.resolve(file.document) : value;
  if (isAlias(value) && content === undefined) throw syntaxError(own, 'it repeats an anchor that does not exist');
  return { path, line: own, content, file };
}

function lineOf(file: ConfigFile, node: unknown): number | undefined {
  if (!isScalar(node) && !isMap(node) && !isSeq(node) && !isAlias(node)) return undefined;
  return node.range ? file.lines.linePos(node.range[0]).line : undefined;
}

function unknownKey(node: ConfigNode, key: string, section: ConfigSection): RolloutError {
  const suggestion = suggestKey(key, section);
  const path = hideCredentials(node.path.slice(0, 120));
  return new RolloutError('unknown_config_key', {
    message: `${path} (line ${node.line}) is not a key of the configuration${
      suggestion === undefined ? '' : `; did you mean ${suggestion}?`
    }`.replace(/[^?]$/, '$&.'),
    next: suggestion === undefined ? 'Remove the key.' : `Write ${suggestion}, or remove the key.`,
  });
}

function syntaxError(line: number, detail: string): RolloutError {
  const [first = ''] = hideCredentials(detail).split('\n');
  return new RolloutError('config_syntax', {
    message: `Line ${line} of the configuration is not valid YAML: ${first.slice(0, 160)}.`,
  });
}
