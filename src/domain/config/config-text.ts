// Replaces `${NAME}` in values after parsing, so that a variable never becomes YAML syntax.
// Never shows the text or a value: both may hold a password.
import { cutText } from '../../kernel/printable.js';
import { RolloutError } from '../../kernel/rollout-error.js';

/** Finds a variable's value; undefined when it is not set. */
export type VariableLookup = (name: string) => string | undefined;

const PIECE = /\$\{([^}]*)(\}?)/g;
/** Of a variable that is shown, in characters. */
const MAX_NAME = 100;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * The text with every `${NAME}` replaced once; a `${…}` in a value stays as it is. `path` is the key's path, for
 * messages. Throws missing_environment_variable for a variable that is not set, and for a text of empty variables only;
 * invalid_config for a `${…}` without the name of a variable.
 */
export function resolveConfigText(text: string, lookup: VariableLookup, path: string): string {
  const resolved = text.replace(PIECE, (_piece, name: string, end: string) => {
    if (end === '' || !NAME.test(name)) throw malformed(path);
    const value = lookup(name);
    if (value === undefined) throw missing(name, 'is not set', path);
    return value;
  });
  const [, first] = new RegExp(PIECE.source).exec(text) ?? [];
  if (resolved.trim() === '' && first !== undefined) throw missing(first, 'is empty', path);
  return resolved;
}

/** Whether resolving the text puts values of variables into it; a malformed `${…}` throws before it does. */
export function namesVariables(text: string): boolean {
  const pieces = [...text.matchAll(PIECE)];
  return pieces.length > 0 && pieces.every(([, name = '', end]) => end !== '' && NAME.test(name));
}

function malformed(path: string): RolloutError {
  return new RolloutError('invalid_config', {
    message: `${path} has a \${…} that does not hold the name of a variable.`,
    next: `Write it as \${NAME}, with letters, digits and underscores only.`,
  });
}

function missing(name: string, problem: string, path: string): RolloutError {
  return new RolloutError('missing_environment_variable', {
    message: `${path} names the environment variable ${cutText(name, MAX_NAME)}, which ${problem}.`,
    next: `Set ${cutText(name, MAX_NAME)} and run the command again.`,
  });
}
