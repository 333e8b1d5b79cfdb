// The log: one event name and fields per line, as JSON on stderr. Never org ids, never the text of an error, never a
// URL's password.
import { pino } from 'pino';
import type { Log, LogFields } from '../kernel/log.js';
import { toPrintableJson } from '../kernel/printable.js';
import { readEnvironment } from './environment.js';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
/** How much is logged; the first logs everything. */
export type LogLevel = (typeof LEVELS)[number];

export interface LogOptions {
  /** Defaults to CREDIT_ROLLOUT_LOG, else `warn`. */
  readonly level?: LogLevel;
  /** Where lines go; stderr when left out. */
  readonly write?: (line: string) => void;
}

const URL_PASSWORD = /([a-z][a-z0-9+.-]*:\/\/[^\s:@/"]*):[^\s"]*@/gi;
const FRAMES = 5;
const QUERY_PASSWORD = /([?&](?:password|passwd|pwd)=)[^&\s"]*/gi;

/** The text with the password of every URL in it replaced by `***`. */
function redactPasswords(text: string): string {
  return text.replace(URL_PASSWORD, '$1:***@').replace(QUERY_PASSWORD, '$1***');
}

/** Creates a log. An unknown CREDIT_ROLLOUT_LOG counts as `warn`. */
export function createLog(options: LogOptions = {}): Log {
  const level = options.level ?? LEVELS.find((known) => known === readEnvironment('CREDIT_ROLLOUT_LOG')) ?? 'warn';
  const { write } = options;
  const target = write === undefined ? pino.destination({ dest: 2, sync: true }) : { write };
  // the finished line is redacted, so that causes, stacks and nested fields are covered too
  const streamWrite = (line: string): string => toPrintableJson(redactPasswords(line));
  return wrap(pino({ level, base: { pid: process.pid }, hooks: { streamWrite } }, target));
}

/**
 * Errors as name, code and frames, causes too: a server's text may hold org data, and a message of ours an org's id.
 */
function withoutErrorTexts(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, withoutErrorText(value)]));
}

function withoutErrorText(value: unknown): unknown {
  if (value instanceof Error) return describeLoggedError(value);
  if (Array.isArray(value)) return value.map(withoutErrorText);
  const isPlain = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  return isPlain ? withoutErrorTexts(value as LogFields) : value;
}

/** The lines of a stack below its message, which may have lines of its own. */
function listFrames({ stack = '', message }: Error): readonly string[] {
  const begin = stack.lastIndexOf(message);
  const below = begin < 0 ? '' : stack.slice(begin + message.length);
  return below
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '))
    .slice(0, FRAMES);
}

function describeLoggedError(error: Error): Record<string, unknown> {
  const { code, severity } = error as { readonly code?: unknown; readonly severity?: unknown };
  const byServer = severity !== undefined;
  const frames = byServer ? [] : listFrames(error);
  return {
    name: error.name,
    // one that a server sent can be any five characters
    ...(typeof code === 'string' && !byServer && { code }),
    ...(frames.length > 0 && { at: frames }),
    ...(error.cause instanceof Error && { cause: describeLoggedError(error.cause) }),
  };
}

function wrap(logger: pino.Logger): Log {
  // before pino sees them: it would take the message of an error for its own
  const toLine = (event: string, fields: LogFields) => ({ event, ...withoutErrorTexts(fields) });
  return {
    debug: (event, fields = {}) => logger.debug(toLine(event, fields)),
    info: (event, fields = {}) => logger.info(toLine(event, fields)),
    warn: (event, fields = {}) => logger.warn(toLine(event, fields)),
    error: (event, fields = {}) => logger.error(toLine(event, fields)),
    child: (fields) => wrap(logger.child(withoutErrorTexts(fields))),
  };
}
